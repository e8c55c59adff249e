"""What authors declare: Dags, tasks, handlers, and what their bodies use at run time.

Authors import from `outboard` itself, which carries the same names as ``airflow.sdk``; exceptions are in
`outboard.sdk.exceptions`. This package is pure: it performs no I/O, reads no clock and no environment, and logs nothing.
What a body asks of the outside world goes through `outboard.sdk.client`, which the runtime fills in.
"""
