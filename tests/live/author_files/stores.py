"""A task that keeps small values in each store; with its import changed, Airflow runs the same file by itself."""

from datetime import timedelta

from outboard import NEVER_EXPIRE, Asset, dag, task

orders = Asset("orders", "s3://bucket/orders")


@task
def keeps(*, task_state_store):
    task_state_store.set("cursor", {"page": 2})
    task_state_store.set("short/lived", 1, retention=timedelta(hours=6))
    task_state_store.set("forever", "x", retention=NEVER_EXPIRE)
    found = [task_state_store.get("cursor"), task_state_store.get("absent", "else")]
    task_state_store.delete("cursor")
    task_state_store.clear()
    return found


@task(inlets=[orders], outlets=[Asset.ref(uri="x-own://u")])
def keeps_of_assets(*, asset_state_store):
    asset_state_store[orders].set("watermark", 7)
    asset_state_store[Asset.ref(uri="x-own://u")].set("watermark", 8)
    found = [asset_state_store[orders].get("watermark"), asset_state_store[orders].get("absent", "else")]
    asset_state_store[orders].delete("watermark")
    asset_state_store[Asset.ref(uri="x-own://u")].clear()
    return found


@dag
def stores():
    keeps()
    keeps_of_assets()


stores()
