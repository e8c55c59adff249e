"""What a task costs, beside the floor of the same machine in the same run: `python -m tests.benchmarks`.

python -m tests.benchmarks [--quick] [--json]     cold start, memory, round trip, log rate
python -m tests.benchmarks --profile              what a task imports, and what each import takes
python -m tests.benchmarks --airflow 3.3.2        under Airflow: beside native tasks, in folders of many bundles and Dags
"""
