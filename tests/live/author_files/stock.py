"""Tasks that make and use assets; with its import changed, Airflow runs the same file by itself."""

from outboard import Asset, AssetAlias, Metadata, dag, task

orders = Asset("orders", "s3://bucket/orders", extra={"kind": "raw"})
places = Asset(uri="x-own://places")
daily = AssetAlias("daily")
named = Asset.ref(name="named")


@task(outlets=[orders, daily, named, Asset.ref(uri="x-own://somewhere")], inlets=[places])
def tells_nothing():
    pass


@task(outlets=[orders])
def tells_by_accessor(*, outlet_events):
    outlet_events[orders].extra = {"rows": 3, "parts": ["a", {"b": None}]}


@task(outlets=[named])
def tells_by_reference(*, outlet_events):
    outlet_events[named].extra["rows"] = 4


@task(outlets=[orders])
def tells_of_partitions(*, outlet_events):
    outlet_events[orders].extra["rows"] = 5
    outlet_events[orders].add_partitions(["2026-01-01"])
    outlet_events[orders].add_partitions("2026-01-01")


@task(outlets=[daily])
def tells_through_an_alias(**context):
    context["outlet_events"][daily].add(orders, extra={"rows": 6})
    context["outlet_events"].for_asset_alias(name="daily").add(Asset.ref(uri="x-own://named"))


@task(outlets=[orders, daily])
def yields_metadata():
    yield Metadata(orders, {"rows": 7})
    yield Metadata(places, extra={"rows": 8}, alias=daily)
    return "returned"


@task(inlets=[orders, named, daily])
def reads_events(*, inlet_events):
    recent = (
        inlet_events[orders]
        .after("2026-01-01T00:00:00+00:00")
        .before("2026-02-01T00:00:00+00:00")
        .limit(2)
        .ascending(False)
    )
    found = [[event.asset.name, event.extra, event.source_dag_id] for event in recent]
    return [found, len(inlet_events[daily]), inlet_events[orders][-1].extra["rows"], inlet_events[0][0].id]


@task(inlets=[orders])
def reads_events_of_a_partition(*, inlet_events):
    by_key = inlet_events[orders].partition_key("2026-01-01").extra("kind", "raw")
    return [len(by_key), len(inlet_events[orders].partition_key_regexp_pattern("2026-.*"))]


@task
def was_triggered(*, triggering_asset_events):
    return [
        [asset.name, [[event.extra, event.source_task_id] for event in events]]
        for asset, events in triggering_asset_events.items()
    ]


@task(outlets=[orders])
def tells_what_is_no_json(*, outlet_events):
    outlet_events[orders].extra["when"] = {"a": object()}


@dag(schedule=orders & (places | daily))
def stock():
    tells_nothing()
    tells_by_accessor()
    tells_by_reference()
    tells_of_partitions()
    tells_through_an_alias()
    yields_metadata()
    reads_events()
    reads_events_of_a_partition()
    was_triggered()
    tells_what_is_no_json()


stock()
