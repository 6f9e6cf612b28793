"""The bridge to Twisted's services: writing the log in a thread, never in the reactor's."""

from __future__ import annotations

from contextlib import suppress
from contextvars import Context
from threading import Thread, current_thread
from typing import Any, Dict, Optional

try:
    from twisted.application.service import Service
except ModuleNotFoundError as _error:
    _text = "eliot.logwriter needs Twisted; install it with: pip install 'eliot[twisted]'"
    raise ModuleNotFoundError(_text, name=_error.name) from _error

from twisted.internet.defer import Deferred, succeed
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger as TwistedLogger

from eliot._backlog import Backlog, is_report
from eliot._fork import renew_in_child
from eliot._loggers import Logger
from eliot._reports import destination_failure
from eliot._safe import class_name, saferepr, safeunicode
from eliot._typing import Destination, Message

__all__ = ["ThreadedWriter"]

_log = TwistedLogger(namespace="eliot")


class ThreadedWriter(Service):
    """
    Forward messages to a destination that may block, in a thread.

    It is a destination itself, which adds itself when the service starts and removes itself when
    it stops. Messages wait in a queue without bounds, before the start and after the stop, too.
    For a file they are encoded at once; another destination gets the dictionaries themselves, so
    what is logged to it must not be changed later.
    The process does not end before the service is stopped, lest messages are lost.

    If the destination raises an exception, an `eliot:destination_failure` is logged. If it cannot
    take that either, or is stopping, Twisted's log says so: once, until the destination works.

    Args:
        destination: For example a `FileDestination`.
        reactor: The reactor; its thread pool is where `stopService` waits.

    >>> import io
    >>> from eliot import FileDestination
    >>> from twisted.application.service import Application
    >>> from twisted.internet import reactor
    >>> application = Application("yourapp")
    >>> writer = ThreadedWriter(FileDestination(file=io.BytesIO()), reactor)
    >>> writer.setServiceParent(application)
    """

    name: Any = "Eliot Log Writer"

    def __init__(self, destination: Destination, reactor: Any) -> None:
        self._destination = destination
        self._reactor = reactor
        self._backlog = _Backlog(self)
        self._thread: Optional[Thread] = None
        self._end_at: Dict[Thread, int] = {}  # when so many messages are done
        self._broken = False
        renew_in_child(self)

    def _renew(self) -> None:
        self._backlog._renew_locks()

    def __call__(self, message: Message) -> None:
        """
        Put a message into the queue; callable from any thread.

        Args:
            message: A message.
        """
        self._backlog(message)

    def startService(self) -> None:  # noqa: N802 - Twisted's name
        """Start the thread, and add this to the destinations."""
        if self.running:
            return
        super().startService()  # type: ignore[no-untyped-call] # Twisted has no types there
        # One that was told to stop may not be done yet.
        previous = () if self._thread is None else (self._thread,)
        self._thread = Thread(target=self._reader, args=previous, name=self.name)
        Context().run(self._thread.start)  # in no action: see `eliot._writer`
        Logger._destinations.add(self)

    # IService allows a Deferred, and pyright takes the base class for the interface.
    def stopService(self) -> Deferred[None]:  # noqa: N802 # pyright: ignore[reportIncompatibleMethodOverride]
        """
        Remove this from the destinations, and end the thread.

        Returns:
            Fires when all that was logged before is written.
        """
        if not self.running or self._thread is None:
            return succeed(None)
        super().stopService()  # type: ignore[no-untyped-call] # Twisted has no types there
        with suppress(ValueError):  # somebody else has removed it
            Logger._destinations.remove(self)
        self._end_at[self._thread] = self._backlog.target()
        self._backlog.rouse()
        return deferToThreadPool(self._reactor, self._reactor.getThreadPool(), self._thread.join)

    def _reader(self, *previous: Thread) -> None:
        """Write what comes until it is time to stop; runs in the thread."""
        for thread in previous:
            thread.join()
        self._backlog.work(self._is_over)
        del self._end_at[current_thread()]

    def _is_over(self) -> bool:
        end_at = self._end_at.get(current_thread())
        return end_at is not None and self._backlog.has_done(end_at)

    def _report(self, message: Any, failure: BaseException) -> None:
        if not is_report(message):
            Logger._destinations.send(destination_failure(message, failure))
            if self.running:  # so this is one of the destinations that have the report now
                return
        if not self._broken:
            # Once: whoever sends Twisted's log to Eliot's would otherwise never hear the end of it.
            self._broken = True
            _log.error(
                "Eliot cannot write its log to {destination}: {exception}: {reason}",
                destination=saferepr(self._destination),
                exception=class_name(type(failure)),
                reason=safeunicode(failure),
            )


class _Backlog(Backlog):
    """The messages of a service, which learns how the destination does."""

    def __init__(self, service: ThreadedWriter) -> None:
        super().__init__(service._destination)
        self._service = service

    def _failed(self, message: Any, failure: BaseException) -> None:
        self._service._report(message, failure)

    def _worked(self) -> None:
        self._service._broken = False
