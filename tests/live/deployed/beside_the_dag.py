"""A module that lies beside a native task's file."""
