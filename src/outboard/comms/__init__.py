"""Moves bytes: the only package that reads or writes the wire.

======================  =====================================================================
`stdio`, `sockets`      how a runtime gets its descriptors
`channel`               the runtime's end: requests and their replies, from any thread
`log_channel`           where log records go: kept until connected, stderr when all is lost
`interrupts`            keeps a signal from cutting a frame in two
`serving`               the supervisor's end
`in_memory`             two ends in one process, for tests
======================  =====================================================================
"""
