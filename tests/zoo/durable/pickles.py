"""Sessions as pickles in a folder of their own, each put in its place by a rename; and what is wrong in such stores."""

from __future__ import annotations

import os
import pickle
import time
from typing import Any

from zoo.durable.common import Sessions, put, replaced, sync


class Pickles(Sessions):
    """Sound: a pickle a session."""

    def load(self) -> None:
        self.folder = self.root / "sessions"
        self.folder.mkdir(exist_ok=True)
        sync(self.root)
        for path in sorted(self.folder.iterdir()):
            if path.suffix == ".fresh":
                path.unlink()
            else:
                self.state[path.stem] = pickle.loads(path.read_bytes())

    def keep(self, id: str, document: Any) -> None:
        path = self.folder / f"{id}.pickle"
        if document is None:
            path.unlink(missing_ok=True)
            sync(self.folder)
        else:
            replaced(path, pickle.dumps(document))


class FolderUnflushed(Pickles):
    """The folder itself may be gone, and all that is in it."""

    def load(self) -> None:
        self.folder = self.root / "sessions"
        self.folder.mkdir(exist_ok=True)
        for path in sorted(self.folder.glob("*.pickle")):
            self.state[path.stem] = pickle.loads(path.read_bytes())


class TouchedInPlace(Pickles):
    """A touch writes over the pickle that is there."""

    def touch(self, id: str) -> bool:
        found = self.alive(id)
        if found is None:
            return False
        document = {**found, "seen": time.time()}
        put(self.folder / f"{id}.pickle", pickle.dumps(document))
        self.state[id] = document
        return True


class IndexBehind(Pickles):
    """Which sessions there are stands in an index that nobody flushes."""

    def load(self) -> None:
        super().load()
        index = self.root / "index"
        known = index.read_text().split() if index.exists() else []
        self.state = {id: document for id, document in self.state.items() if id in known}

    def keep(self, id: str, document: Any) -> None:
        super().keep(id, document)
        (self.root / "index").write_text(" ".join(self.after(id, document)))


class UnlinkedFirst(Pickles):
    """The old pickle makes room for the new one."""

    def keep(self, id: str, document: Any) -> None:
        path = self.folder / f"{id}.pickle"
        fresh = path.with_suffix(".fresh")
        if document is not None:
            put(fresh, pickle.dumps(document))
        path.unlink(missing_ok=True)
        if document is not None:
            os.rename(fresh, path)
        sync(self.folder)
