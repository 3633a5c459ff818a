"""Composition of the scanner: one consumer for each class of scans, so that re-scans never starve pushes."""

from __future__ import annotations

import os

from pratique.messages import SCAN_QUEUES
from pratique.registry.foreign import ForeignLayers
from pratique.runtime.advisory_file import AdvisoryFile
from pratique.runtime.concurrency import run_together
from pratique.runtime.consuming import counted
from pratique.runtime.decryption_keys import load_decryption_keys
from pratique.runtime.layer_pool import LayerPool
from pratique.runtime.resources import Resources
from pratique.runtime.vex_files import load_vex_keys
from pratique.scanning import FileScope, LayerAccess, Scanner
from pratique_services.scanner.consumer import ScanWorker, worker_name
from pratique_services.scanner.layer_store import DatabaseLayerStore
from pratique_services.scanner.recording import Recorder
from pratique_services.scanner.vex import VexRecorder


async def run(resources: Resources) -> None:
    """Scan until cancelled."""
    settings = resources.settings
    scope = FileScope.COMPARED if settings.scanner.compare_files else FileScope.SUMMARY
    advisories = AdvisoryFile(settings.advisories) if settings.advisories else None
    async with (
        LayerPool(workers=settings.scanner.workers or os.cpu_count() or 1) as pool,
        ForeignLayers(settings.scanner.foreign_layer_hosts) as foreign,
    ):
        keys = load_decryption_keys((file.key, file.password) for file in settings.scanner.decryption_keys)
        access = LayerAccess(keys=keys, foreign=foreign)
        store = DatabaseLayerStore(resources.database, compares_contents=scope.compares_contents)
        worker = ScanWorker(
            database=resources.database,
            registries=resources.registries,
            scanner=Scanner(pool, store, files=scope, access=access),
            recorder=Recorder(resources.database, advisories),
            settings=settings.scanner,
            name=worker_name(),
            wake=resources.relay.wake,
            vex=VexRecorder(database=resources.database, keys=load_vex_keys(settings.vex)),
        )
        prefetch = dict.fromkeys(SCAN_QUEUES, 1) | {SCAN_QUEUES[0]: settings.scanner.concurrency}
        await run_together(resources.broker.consume(queue, counted(worker.consume), prefetch=prefetch[queue]) for queue in SCAN_QUEUES)
