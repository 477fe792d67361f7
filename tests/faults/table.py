"""FAULTS: what can break, and what is promised then. A row of `docs/reliability.md` each."""

from __future__ import annotations

from tests.faults import disk_faults as disk
from tests.faults import engine_faults as engine
from tests.faults import other_faults as other
from tests.faults import statistics_faults as statistics
from tests.faults.fault import Fault, Setting

_ENDED = r"the engine of \S+ ended"
_AGAIN = "`lost`, then ready by itself"
_NOTHING_SEEN = "nobody notices"

FAULTS = (
    Fault("engine-killed", "SIGKILL to the idle engine", _AGAIN, engine.killed, state="lost", says=_ENDED),
    Fault("engine-killed-at-work", "SIGKILL while it has a request", f"the request is answered, empty; {_AGAIN}",
          engine.killed_at_work, state="lost", says=_ENDED),
    Fault("engine-stopped", "SIGSTOP, and a request", "it is ended: `lost`, \"did not answer any more\", then ready by itself",
          engine.stopped, state="lost", says="did not answer any more and was ended"),
    Fault("engine-stopped-loading", "SIGSTOP while it loads the model",
          "it is ended after 5 s: `lost`, \"was stopped while it loaded\", then ready by itself", engine.stopped_loading,
          state="lost", says="was stopped while it loaded, and was ended"),
    Fault("engine-out-of-memory", "a control group of 64 KB for what it takes from now on: the kernel ends it", f"the request is answered; {_AGAIN}",
          engine.out_of_memory, state="lost", says=_ENDED, needs=engine.without_cgroup),
    Fault("model-too-big", "a model whose KV cache for 64 slots of a million tokens does not fit, then one that fits",
          "`failed` with the sizes and what would fit; requests are answered, empty", engine.too_big,
          state="failed", says=r"needs .* available", lasts=True),
    Fault("engine-slow", "one token a second", "answered after a few tokens, with what is there; who types on does not wait",
          engine.slow, Setting.REMOTE, lasts=True),
    Fault("garbage-html", "an error page instead of an answer", "answered, empty", engine.garbage(engine.HTML),
          Setting.REMOTE, lasts=True),
    Fault("garbage-json", "events cut off, of wrong types, not UTF-8", "answered, empty", engine.garbage(engine.BROKEN),
          Setting.REMOTE, lasts=True),
    Fault("garbage-bytes", "2 KB that are no HTTP, to every request", "answered, empty; `lost`, looked for again",
          engine.garbage(junk=engine.NOT_HTTP), Setting.REMOTE, state="lost", says="does not answer", lasts=True),
    Fault("socket-deleted", "the engine's socket is removed", f"the engine leaves; {_AGAIN}", engine.socket_deleted,
          state="lost", says=_ENDED),
    Fault("backend-socket-deleted", "the socket between the daemon and llama.cpp is removed", f"the engine leaves; {_AGAIN}",
          engine.backend_socket_deleted, state="lost", says=_ENDED),
    Fault("folder-deleted", "the runtime folder is removed", f"the engine leaves; {_AGAIN}", engine.folder_deleted,
          state="lost", says=_ENDED),
    Fault("folder-read-only", "the runtime folder becomes read-only under a running engine", f"{_NOTHING_SEEN}",
          disk.at_work(disk.READ_ONLY), Setting.SMALL_DISK, lasts=True, needs=disk.without_mount),
    Fault("folder-read-only-no-engine", "the same, and the engine is killed",
          "`failed` with folder and reason; tried again by itself", disk.without_engine(disk.READ_ONLY),
          Setting.SMALL_DISK, state="failed", says="runtime folder .* cannot be used: Read-only", lasts=True,
          needs=disk.without_mount),
    Fault("disk-full", "the disk of all folders fills under a running engine", _NOTHING_SEEN, disk.at_work(disk.FULL),
          Setting.SMALL_DISK, lasts=True, needs=disk.without_mount),
    Fault("disk-full-no-engine", "the same, and the engine is killed",
          "`failed` with folder and reason; tried again by itself", disk.without_engine(disk.FULL),
          Setting.SMALL_DISK, state="failed", says="runtime folder .* cannot be used: No space", lasts=True,
          needs=disk.without_mount),
    Fault("disk-full-log", "the disk of `log.file` fills", "lines are lost, and nothing else; said once on stderr",
          disk.log_full, Setting.SMALL_DISK, lasts=True, works=disk.logs_again, needs=disk.without_mount),
    Fault("disk-full-pull", "the disk fills while a model is fetched", "one line that says so; nothing half installed",
          disk.pull_full, Setting.SMALL_FOLDER, lasts=True, works=disk.pulls, needs=disk.without_mount),
    Fault("disk-full-calibration", "the disk is full when a calibration is due",
          "nothing is measured for nothing; measured when there is room", disk.calibration_full, Setting.SMALL_FOLDER,
          lasts=True, works=disk.calibrates, needs=disk.without_mount),
    *(
        Fault(f"disk-full-{writer.name}", "the disk is full when it is written", "the file is as it was before",
              disk.writer_full(writer), Setting.SMALL_FOLDER, lasts=True, works=disk.writes(writer),
              needs=disk.without_mount)
        for writer in disk.WRITERS
    ),
    Fault("disk-full-statistics", "the disk is full when counts are written",
          "one line in the log; nothing counted is lost while the server lives, and it is written when there is room",
          statistics.uncounted(disk.full), Setting.SMALL_FOLDER, lasts=True, works=statistics.counts,
          needs=disk.without_mount),
    Fault("folder-read-only-statistics", "the data folder is read-only when counts are written", "the same",
          statistics.uncounted(disk.read_only), Setting.SMALL_FOLDER, lasts=True, works=statistics.counts,
          needs=disk.without_mount),
    Fault("clock-forward", "the clock jumps a day ahead", _NOTHING_SEEN, other.clock_forward, Setting.CLOCK),
    Fault("clock-back", "the clock jumps a day back while another server is stopped at work", _NOTHING_SEEN,
          other.clock_back, Setting.CLOCK),
    Fault("editor-gone-stream", "the pipe ends without `shutdown`", "the server leaves; the next one works",
          other.stream_ends),
    Fault("editor-gone-process", "the editor's process is killed, the pipe stays open",
          "the server leaves; the next one works", other.parent_dies),
    Fault("server-stopped", "SIGSTOP to another editor's server whose request has the only slot",
          "its request ends in the daemon, nobody waits for it; the stopped one goes on later", engine.other_stopped),
    Fault("server-killed", "SIGKILL to another editor's server whose request has the only slot", _NOTHING_SEEN,
          engine.other_killed),
    Fault("lock-left", "server and engine killed, their files left, the process id somebody else's",
          "started anew; the other process is left alone", other.left_behind),
    Fault("two-versions", "a server of another version beside ours", "each has its own engine and works",
          other.two_versions),
    Fault("no-home", "no HOME, and a user whom the system does not know", "`absent`, and what to set; no folder named `~`",
          other.no_home, Setting.FOLDER, lasts=True, works=other.finds_home),
)  # fmt: skip
