"""When and where tests run: a second, quiet run, what `make unit` leaves out, what pytest-xdist keeps on one worker.

One table instead of a mark in every file. Entries are node ids without parameters, relative to the repository: a folder
(ending with a slash), a file, or one test of a file. tests/unit/test_schedule.py checks that each of them exists.
"""

from __future__ import annotations

from collections.abc import Sequence

# Judged by the clock, by CPU time or by the memory of a service: in a second run, without the ordinary tests.
SERIAL: dict[str, str] = {
    "tests/crash/test_embedded_fleet.py::test_a_wide_worker_reads_four_at_once": "four at once, by the clock",
    "tests/hostile/test_bodies.py": "memory of the process, turns of the event loop",
    "tests/hostile/test_growth.py": "memory of a real gateway, time of its liveness probe",
    "tests/hostile/test_protocol.py": "deadlines of the server, by the clock",
    "tests/hostile/test_slow_bodies.py": "deadlines of bodies, by the clock",
    "tests/integration/broker/test_broker.py": "waiting times, by the clock",
    "tests/integration/broker/test_fairness.py": "wake-up times, by the clock",
    "tests/integration/broker/test_streams.py": "lease times, by the clock",
    "tests/integration/ratelimit/test_limiters.py": "rates, by the clock",
    "tests/operations/test_backup.py": "calls answered while a backup is made, by the clock",
    "tests/takeover/test_latency.py": "milliseconds that the mirror adds, CPU time",
    "tests/takeover/test_overload.py::test_mirrored_calls_do_not_wait_for_the_reading": "waiting times, by the clock",
    "tests/unit/contract/test_hostile_headers.py": "CPU seconds",
    "tests/unit/engines/test_file_sanitiser.py": "CPU seconds",
}

# Of these, what sleeps for nine tenths of its time or more. One xdist worker runs them, beside another with the rest.
WAITING: tuple[str, ...] = (
    "tests/hostile/test_protocol.py",
    "tests/hostile/test_slow_bodies.py",
    "tests/integration/broker/test_broker.py",
    "tests/integration/broker/test_fairness.py",
    "tests/integration/broker/test_streams.py",
    "tests/integration/ratelimit/test_limiters.py",
)

# More than about a second of CPU time: part of `make test`, not of `make unit`.
SLOW: tuple[str, ...] = (
    "tests/unit/contract/test_bounded_json.py::test_the_same_as_orjson_where_every_string_may_be_a_long_one",
    "tests/unit/contract/test_bounded_json.py::test_unbounded_structures_are_refused_before_parsing",
    "tests/unit/contract/test_bounded_json.py::test_images_and_faults_equal_those_of_an_unbounded_parser",
    "tests/unit/broker/test_fair_queue.py::test_beside_a_flood_a_well_behaved_apps_p99_at_most_doubles",
    "tests/unit/demo/test_seed.py",
    "tests/unit/engines/documents/test_extras.py",
    "tests/unit/engines/documents/test_idcard.py",
    "tests/unit/engines/documents/test_licence.py",
    "tests/unit/engines/text/test_buckets.py",
    "tests/unit/engines/text/test_cpu_detector.py",
    "tests/unit/engines/text/test_page_threads.py::test_an_engine_reads_a_page_on_four_threads_as_on_one",
    "tests/unit/test_tables.py::test_a_program_imports_the_tables_of_all_foreign_keys",
    "tests/unit/test_supply_chain.py::test_the_notices_are_up_to_date_and_hold_each_licence_text",
    "tests/unit/test_supply_chain.py::test_the_parts_list_follows_the_schema_of_cyclonedx",
    "tests/unit/test_supply_chain.py::test_the_parts_list_names_every_model_with_hash_and_licence",
    "tests/unit/test_supply_chain.py::test_the_parts_list_names_every_package_and_is_the_same_twice",
)

# A fixture of module scope that starts processes or loads models: one xdist worker runs the whole file.
ONE_WORKER: tuple[str, ...] = (
    "tests/accuracy/documents/test_documents.py",
    "tests/accuracy/test_field.py",
    "tests/accuracy/test_plates.py",
    "tests/accuracy/test_profiles.py",
    "tests/accuracy/test_text_engine.py",
    "tests/crash/test_exact_units.py",
    "tests/integration/test_pictures.py",
    "tests/integration/test_secrets.py",
    "tests/integration/test_traces.py",
    "tests/operations/test_upgrade.py",
    "tests/unit/cli/test_models_command.py",
    "tests/unit/engines/runtimes/test_cuda.py",
    "tests/unit/engines/text/test_buckets.py",
)

# Fixtures of the session that cost many seconds: one xdist worker runs all tests that ask for them.
ONE_WORKER_FIXTURES: tuple[str, ...] = ("sandbox",)


def group_of(node: str, fixtures: Sequence[str] = ()) -> str | None:
    """The group of a test that uses `fixtures`: one xdist worker runs all tests of a group. None: any worker."""
    if any(listed(node, entry) for entry in SERIAL):
        return "waiting" if any(listed(node, entry) for entry in WAITING) else "judged"
    entries = (entry for entry in ONE_WORKER if listed(node, entry))
    return next(entries, None) or next((name for name in ONE_WORKER_FIXTURES if name in fixtures), None)


def listed(node: str, entry: str) -> bool:
    """Whether an entry of the tables above covers a test: `node` is its id without parameters."""
    return node == entry or (entry.endswith("/") and node.startswith(entry)) or node.startswith(f"{entry}::")
