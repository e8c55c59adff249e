"""The parent's role: start a task's process, greet it, serve it, log it, end it, and say how it ended.

=================  =====================================================================================
`coordinator`      `run_task` and `parse_dags`: one process, from its spawn to its outcome
`supervision`      one process while it runs: connected, served, timed, listened to
`spawning`         how a process begins
`process`          the process itself, its group and its descriptors
`kinship`          which processes belong to a task, and whether a connection comes from one of them
`environment`      what a process finds in its environment
`limits`           how long a process may take, and how much it may say
`outcome`          everything that is known about a process → one outcome
`handlers`         a request → a port → its reply
`ports`            what is needed from elsewhere; `local_store` is one implementation
`lines`            what a process prints → lines of bounded length
`masking`          secrets → asterisks
`trigger_rules`    the states of upstream tasks → may this task run
`dag_run`          the tasks of one Dag run, in order, with retries
`run_report`       what a run is asked for, and what is known about it
=================  =====================================================================================

It knows nothing of the runtime but the wire, and no author's code.
"""
