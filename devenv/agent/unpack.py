"""Unpacking a tar stream beside its destination, then renaming it into place: nobody sees half of it."""

import binascii
import os

from . import frames
from .channels import Channel
from .tarstream import TarError, TarStream

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .peer import Peer


class UnpackChannel(Channel):
    """CLOSE says {"exit": 0} or {"error": ...}; after an error nothing is left behind."""

    def __init__(self, peer: "Peer", id: int, dest: bytes) -> None:
        Channel.__init__(self, peer, id)
        if not dest.startswith(b"/") or dest.rstrip(b"/") == b"":
            raise ValueError("dest must be an absolute path")
        self._dest = os.path.normpath(dest)
        self._part = self._dest + b".part-" + binascii.hexlify(os.urandom(4))
        os.makedirs(os.path.dirname(self._dest), 0o755, exist_ok=True)
        os.mkdir(self._part, 0o755)
        self._stream = TarStream(self._part)
        self._consumed = 0

    def received(self, stream: int, data: bytes) -> None:
        if stream != frames.IN:
            raise frames.ProtocolError("an archive comes on stream 0")
        self._consumed += len(data)
        if self._consumed >= frames.CREDIT // 4:
            self.peer.control(frames.encode(frames.WINDOW, self.id, self._consumed.to_bytes(4, "big")))
            self._consumed = 0
        try:
            self._stream.feed(data)
        except (TarError, OSError) as error:
            self._fail(error)

    def received_eof(self, stream: int) -> None:
        try:
            self._stream.end()
            self._place()
        except (TarError, OSError) as error:
            self._fail(error)
            return
        self.finish({"exit": 0})

    def _place(self) -> None:
        try:
            os.rename(self._part, self._dest)
            return
        except OSError:
            if not os.path.lexists(self._dest):
                raise
        # A folder that is not empty cannot be replaced in one step: for a moment the old one has another name.
        old = self._part + b".old"
        os.rename(self._dest, old)
        try:
            os.rename(self._part, self._dest)
        except OSError:
            os.rename(old, self._dest)
            raise
        _delete(old)

    def _fail(self, error: Exception) -> None:
        self._discard()
        self.finish({"error": str(error)})

    def _discard(self) -> None:
        self._stream.abort()
        _delete(self._part)

    def closed(self) -> None:
        Channel.closed(self)
        self._discard()


def _delete(path: bytes) -> None:
    """A tree, links not followed; what cannot be deleted stays."""
    try:
        if os.path.islink(path) or not os.path.isdir(path):
            os.unlink(path)
            return
        os.chmod(path, 0o700)
        for name in os.listdir(path):
            _delete(os.path.join(path, name))
        os.rmdir(path)
    except OSError:
        pass
