"""Run under a trace: does to the folder given whatever the tracer should understand."""

from __future__ import annotations

import os
import sys
from pathlib import Path

folder = Path(sys.argv[1])
marks = os.open(os.environ["SESSIONGUARD_MARKS"], os.O_WRONLY | os.O_APPEND)
os.write(marks, b"begin\n")
(folder / "text").write_text("hello")
with (folder / "text").open("a") as file:
    file.write(" world")
with (folder / "text").open("r+b") as file:
    file.seek(2)
    file.write(b"LL")
    file.flush()
    os.fsync(file.fileno())
(folder / "sub").mkdir()
descriptor = os.open(folder / "sub" / "a", os.O_RDWR | os.O_CREAT)
os.pwrite(descriptor, b"abc", 3)
os.writev(descriptor, [b"x", b"y"])
os.pwritev(descriptor, [b"1", b"2"], 8)
os.ftruncate(descriptor, 9)
os.posix_fallocate(descriptor, 0, 20)
os.fdatasync(descriptor)
os.close(descriptor)
os.truncate(folder / "text", 4)
os.link(folder / "text", folder / "hard")
os.symlink("text", folder / "soft")
os.rename(folder / "sub", folder / "moved")
os.rename(folder / "moved" / "a", folder / "b")
os.rmdir(folder / "moved")
(folder / "gone").touch()
here = os.open(folder, os.O_RDONLY)
os.unlink("gone", dir_fd=here)
os.mkdir("by folder", dir_fd=here)
os.rename("by folder", "renamed", src_dir_fd=here, dst_dir_fd=here)
os.symlink("text", "soft2", dir_fd=here)
os.link("text", "hard2", src_dir_fd=here, dst_dir_fd=here)
(folder / "text").write_text("anew")
os.fsync(here)
os.sync()
os.write(marks, b"done\n")
