"""What the integration tests of the link and of the forwards share."""

from tests.kit.boxes import adapter, box, dial, folder

__all__ = ["adapter", "box", "dial", "folder"]
