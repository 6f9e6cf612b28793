"""
The contenders that write: each does the same work in its own way, fastest documented set-up first.

A contender is a function that gets the path of a log file, sets its library up, and returns its
workloads, by name: functions that do the work as many times as they are told. Both Eliots run the
same code.
"""

from __future__ import annotations

import functools
import importlib
import time
import uuid
from pathlib import Path
from typing import Any, Callable, Dict

Workload = Callable[[int], None]
Workloads = Dict[str, Workload]

#: How many messages Eliot writes when a workload does its work once.
MESSAGES = {
    "message": 1,
    "nested": 5,
    "task": 2,
    "lone": 1,
    "log_call": 2,
    "recursion": 100,
    "failing": 2,
    "traceback": 1,
}

DEPTH = 50
EVENTS = 100


def floor(path: str) -> Workloads:
    """Build the dictionary, encode, write, flush: nobody can do with less."""
    dumps = importlib.import_module("orjson").dumps
    file = Path(path).open("ab")  # noqa: SIM115 - open until the end
    task_uuid = str(uuid.uuid4())

    def message(times: int) -> None:
        for number in range(times):
            fields = {
                "number": number,
                "text": "text",
                "ratio": 1.5,
                "flag": True,
                "message_type": "message",
                "timestamp": time.time(),
                "task_uuid": task_uuid,
                "task_level": [2, number],
            }
            file.write(dumps(fields) + b"\n")
            file.flush()

    return {"message": message}


def eliot(path: str) -> Workloads:
    """Log with Eliot, this one or the published one: whichever is in the environment."""
    from eliot import to_file

    to_file(Path(path).open("ab"))  # noqa: SIM115 - open until the end
    return actions()


def bare(path: str) -> Workloads:
    """Write the same lines with nothing kept safe."""
    return _trees(*importlib.import_module("bare").bare(path))


def actions() -> Workloads:
    """Do the work with Eliot, for whatever destinations there are."""
    from eliot import log_call, log_message, start_action, start_task, write_traceback

    @log_call
    def called(number: int, text: str) -> int:  # noqa: ARG001 - it is logged
        return number

    def call(times: int) -> None:
        with start_action(action_type="outer"):
            for number in range(times):
                called(number, "text")

    def traceback(times: int) -> None:
        with start_action(action_type="outer"):
            for number in range(times):
                try:
                    raise ValueError(number)
                except ValueError:
                    write_traceback()

    trees = _trees(log_message, start_action, start_task)
    return {**trees, "log_call": call, "traceback": traceback}


def _trees(  # noqa: C901 - a list of small functions
    log_message: Callable[..., object],
    start_action: Callable[..., Any],
    start_task: Callable[..., Any],
) -> Workloads:
    """Do what takes no more than actions and messages."""

    def lone(times: int) -> None:
        for number in range(times):
            log_message("message", number=number, text="text", ratio=1.5, flag=True)

    def message(times: int) -> None:
        with start_action(action_type="outer"):
            lone(times)

    def nested(times: int) -> None:
        with start_action(action_type="outer"):
            for number in range(times):
                with start_action(action_type="action", number=number, text="text"), start_action(
                    action_type="inner", number=number, text="text"
                ):
                    log_message("message", number=number, text="text", ratio=1.5, flag=True)

    def task(times: int) -> None:
        for number in range(times):
            with start_task(action_type="task", number=number, text="text"):
                pass

    def recurse(depth: int) -> None:
        with start_action(action_type="level", depth=depth):
            if depth > 1:
                recurse(depth - 1)

    def recursion(times: int) -> None:
        with start_action(action_type="outer"):
            for _ in range(times):
                recurse(DEPTH)

    def failing(times: int) -> None:
        with start_action(action_type="outer"):
            for number in range(times):
                try:
                    with start_action(action_type="action", number=number, text="text"):
                        raise ValueError(number)
                except ValueError:
                    pass

    return {
        "message": message,
        "nested": nested,
        "task": task,
        "lone": lone,
        "recursion": recursion,
        "failing": failing,
    }


def structlog(path: str) -> Workloads:
    """Log with structlog as its page on performance says: cached loggers, orjson, bytes."""
    structlog = importlib.import_module("structlog")
    processors = structlog.processors
    structlog.configure(
        cache_logger_on_first_use=True,
        wrapper_class=structlog.make_filtering_bound_logger(20),
        processors=[
            structlog.contextvars.merge_contextvars,
            processors.add_log_level,
            processors.format_exc_info,
            processors.TimeStamper(fmt="iso", utc=True),
            processors.JSONRenderer(serializer=importlib.import_module("orjson").dumps),
        ],
        logger_factory=structlog.BytesLoggerFactory(Path(path).open("ab")),  # noqa: SIM115 - until the end
    )
    structlog.contextvars.bind_contextvars(task_uuid=str(uuid.uuid4()))
    logger = structlog.get_logger()

    def message(times: int) -> None:
        for number in range(times):
            logger.info("message", number=number, text="text", ratio=1.5, flag=True)

    return {"message": message, "traceback": _tracebacks(logger.exception)}


def stdlib(path: str) -> Workloads:
    """Log with standard logging, and a formatter for JSON that uses orjson."""
    logging = importlib.import_module("logging")
    formatter = importlib.import_module("pythonjsonlogger.orjson").OrjsonFormatter
    logger = _configured(logging, path, formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))

    def message(times: int) -> None:
        for number in range(times):
            fields = {"number": number, "text": "text", "ratio": 1.5, "flag": True}
            logger.info("message", extra=fields)

    return {"message": message, "traceback": _tracebacks(logger.exception)}


def picologging(path: str) -> Workloads:
    """Log with picologging: text, no JSON. Its `asctime` is garbage on Python 3.11."""
    logging = importlib.import_module("picologging")
    formatter = logging.Formatter("%(created)f %(levelname)s %(name)s %(message)s")
    logger = _configured(logging, path, formatter)

    def message(times: int) -> None:
        for number in range(times):
            values = (number, "text", 1.5, True)
            logger.info("message number=%s text=%s ratio=%s flag=%s", *values)

    return {"message": message, "traceback": _tracebacks(logger.exception)}


def loguru(path: str) -> Workloads:
    """Log with loguru and its own serialization."""
    logger = importlib.import_module("loguru").logger
    logger.remove()
    logger.add(path, serialize=True, backtrace=False, diagnose=False)

    def message(times: int) -> None:
        for number in range(times):
            logger.info("message", number=number, text="text", ratio=1.5, flag=True)

    return {"message": message, "traceback": _tracebacks(logger.exception)}


def opentelemetry(_path: str) -> Workloads:
    """Make spans with the OpenTelemetry SDK, which go nowhere."""
    trace = importlib.import_module("opentelemetry.sdk.trace")
    return _spans(trace.TracerProvider().get_tracer("benchmark"))


def opentelemetry_batch(path: str) -> Workloads:
    """Make spans with the OpenTelemetry SDK; its batch processor writes them as lines of JSON."""
    trace = importlib.import_module("opentelemetry.sdk.trace")
    export = importlib.import_module("opentelemetry.sdk.trace.export")
    file = Path(path).open("a", encoding="utf-8")  # noqa: SIM115 - open until the end

    class Exporter(export.SpanExporter):  # type: ignore[name-defined, misc] # its base is Any
        def export(self, spans: Any) -> Any:
            file.writelines(span.to_json(indent=None) + "\n" for span in spans)
            file.flush()
            return export.SpanExportResult.SUCCESS

        def shutdown(self) -> None:
            file.close()

    provider = trace.TracerProvider()
    # So large that no span is dropped; by default the queue takes 2,048.
    provider.add_span_processor(export.BatchSpanProcessor(Exporter(), max_queue_size=1 << 20))

    def flushed(workload: Workload) -> Workload:
        @functools.wraps(workload)
        def work(times: int) -> None:
            workload(times)
            provider.force_flush(600_000)

        return work

    spans = _spans(provider.get_tracer("benchmark"))
    return {name: flushed(workload) for name, workload in spans.items()}


def logfire(_path: str) -> Workloads:
    """Log with logfire, without network and console: its spans go nowhere."""
    logfire = importlib.import_module("logfire")
    logfire.configure(send_to_logfire=False, console=False, metrics=False)

    def message(times: int) -> None:
        with logfire.span("outer"):
            for number in range(times):
                logfire.info("message", number=number, text="text", ratio=1.5, flag=True)

    def nested(times: int) -> None:
        with logfire.span("outer"):
            for number in range(times):
                with logfire.span("action", number=number, text="text"), logfire.span(
                    "inner", number=number, text="text"
                ):
                    logfire.info("message", number=number, text="text", ratio=1.5, flag=True)

    def task(times: int) -> None:
        for number in range(times):
            with logfire.span("task", number=number, text="text"):
                pass

    @logfire.instrument("called", record_return=True)  # type: ignore[untyped-decorator] # Any
    def called(number: int, text: str) -> int:  # noqa: ARG001 - it is logged
        return number

    def call(times: int) -> None:
        with logfire.span("outer"):
            for number in range(times):
                called(number, "text")

    return {"message": message, "nested": nested, "task": task, "log_call": call}


def _configured(logging: Any, path: str, formatter: Any) -> Any:
    """Set up a logger that writes to a file, of standard logging or what looks like it."""
    handler = logging.FileHandler(path)
    handler.setFormatter(formatter)
    logger = logging.getLogger("benchmark")
    logger.propagate = False
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    return logger


def _tracebacks(exception: Callable[[str], object]) -> Workload:
    """Log exceptions with a method that looks for the current one."""

    def traceback(times: int) -> None:
        for number in range(times):
            try:
                raise ValueError(number)
            except ValueError:
                exception("failed")

    return traceback


def _spans(tracer: Any) -> Workloads:  # noqa: C901 - a list of small functions
    """Do with spans what Eliot does with actions; a span's events are its messages."""
    span = tracer.start_as_current_span

    def message(times: int) -> None:
        for start in range(0, times, EVENTS):
            with span("outer") as outer:
                for number in range(start, min(start + EVENTS, times)):
                    fields = {"number": number, "text": "text", "ratio": 1.5, "flag": True}
                    outer.add_event("message", fields)

    def nested(times: int) -> None:
        with span("outer"):
            for number in range(times):
                fields = {"number": number, "text": "text"}
                with span("action", attributes=fields), span("inner", attributes=fields) as inner:
                    fields = {"number": number, "text": "text", "ratio": 1.5, "flag": True}
                    inner.add_event("message", fields)

    def task(times: int) -> None:
        for number in range(times):
            with span("task", attributes={"number": number, "text": "text"}):
                pass

    def recurse(depth: int) -> None:
        with span("level", attributes={"depth": depth}):
            if depth > 1:
                recurse(depth - 1)

    def recursion(times: int) -> None:
        with span("outer"):
            for _ in range(times):
                recurse(DEPTH)

    def failing(times: int) -> None:
        with span("outer"):
            for number in range(times):
                try:
                    with span("action", attributes={"number": number, "text": "text"}):
                        raise ValueError(number)
                except ValueError:
                    pass

    return {
        "message": message,
        "nested": nested,
        "task": task,
        "recursion": recursion,
        "failing": failing,
    }


CONTENDERS: Dict[str, Callable[[str], Workloads]] = {
    "floor": floor,
    "eliot": eliot,
    "bare": bare,
    "structlog": structlog,
    "stdlib": stdlib,
    "loguru": loguru,
    "picologging": picologging,
    "opentelemetry": opentelemetry,
    "opentelemetry_batch": opentelemetry_batch,
    "logfire": logfire,
}
