"""The child: what runs inside a bundle's process.

======================  =====================================================================
`invocation`            the command line of a bundle
`server`                connect, take the greeting, dispatch, leave
`task_runner`           one task: context, body, result, report
`outcome`               what the body did → the terminal message
`client`                what task code asks for, over the channel
`logs`                  records from print, logging and structlog
`tracebacks`            exceptions as data
`signals`               SIGTERM, and the loss of the supervisor
`author_file`           loading what the author wrote
`dag_parser`            which Dags the bundle holds
`dag_serde`             a Dag in Airflow's serialized form
======================  =====================================================================

A bundle is started once for each task, so these modules load nothing that a plain task does not need.
"""
