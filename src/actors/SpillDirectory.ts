import { randomUUID } from "node:crypto"
import { existsSync } from "node:fs"
import { lstat, mkdir, readdir, rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { fileSegmentStorage, makeFolders, type SegmentHandle, SegmentLog, type SegmentStorage } from "../serialization/index.ts"
import { SpillFailure } from "./errors.ts"

export interface SpillOptions {
  /** The data directory's or a granted folder, which others may use as well. */
  readonly parent: string
  /** How much disk all queues in it may take together. */
  readonly maxBytes: number
  /** For tests: a disk that fails. */
  readonly storage?: SegmentStorage
}

/**
 * A folder of this process alone for spilled frames, gone when its scope is closed.
 *
 * It holds a lock of the operating system on a file in it (taken by SQLite, since Node has no call for that). The lock
 * ends with the process, however that ends; so `sweepSpill` can tell what a dead one has left behind.
 *
 * **Bounds** `maxBytes` on disk: beyond that frames wait in memory, and their senders with them.
 * **Source** invariants SP-3, SP-5.
 */
export class SpillDirectory {
  readonly path: string
  private readonly options: SpillOptions
  private readonly lock: Lock
  private used = 0
  private names = 0
  private readonly logs = new Set<SegmentLog>()
  private readonly starving = new Set<{ retry(): void }>()

  private constructor(path: string, options: SpillOptions, lock: Lock) {
    this.path = path
    this.options = options
    this.lock = lock
  }

  /** **Fails** with `SpillFailure` where no folder can be made or locked below `parent`. */
  static open(options: SpillOptions): Effect.Effect<SpillDirectory, SpillFailure, Scope.Scope> {
    return Effect.acquireRelease(
      Effect.tryPromise({
        try: async () => {
          const { path, lock } = await takeFolder(options.parent)
          return new SpillDirectory(path, options, lock)
        },
        catch: (cause) => new SpillFailure({ operation: "open", path: options.parent, cause })
      }),
      (directory) => Effect.promise(() => directory.remove())
    )
  }

  get usedBytes(): number {
    return this.used
  }

  hasRoomFor(bytes: number): boolean {
    return this.used + bytes <= this.options.maxBytes
  }

  /** Has `queue.retry` called as soon as anything was freed. */
  callWhenThereIsRoom(queue: { retry(): void }): void {
    this.starving.add(queue)
  }

  /** What is used has grown by so many bytes, or shrunk. */
  count(bytes: number): void {
    this.used += bytes
    if (bytes >= 0) return
    const starving = [...this.starving]
    this.starving.clear()
    for (const queue of starving) queue.retry()
  }

  /** A new log. Segments are small beside what is allowed, because only whole ones can be given back. */
  async openLog(bufferBytes: number): Promise<SegmentLog> {
    const { maxBytes, storage = unsyncedStorage } = this.options
    const log = await SegmentLog.open({
      directory: this.path,
      name: `edge-${++this.names}`,
      segmentBytes: Math.min(mostSegmentBytes, Math.ceil(maxBytes / 8)),
      bufferBytes,
      storage
    })
    this.logs.add(log)
    return log
  }

  async removeLog(log: SegmentLog): Promise<void> {
    await log.remove()
    this.logs.delete(log)
  }

  private async remove(): Promise<void> {
    await Promise.allSettled(Array.from(this.logs, (log) => log.remove()))
    try {
      await rm(this.path, { recursive: true, force: true })
    } finally {
      this.lock.close()
    }
  }
}

const mostSegmentBytes = 64 * 1024 * 1024

const unsynced = (handle: SegmentHandle): SegmentHandle => ({ ...handle, sync: async () => undefined })

/** Spilled frames are of no use after a crash, so nobody needs to wait until they are safe from one. */
const unsyncedStorage: SegmentStorage = {
  ...fileSegmentStorage,
  create: async (path) => unsynced(await fileSegmentStorage.create(path)),
  open: async (path) => unsynced(await fileSegmentStorage.open(path)),
  syncDirectory: async () => undefined
}

/**
 * Removes what processes that are no more have left behind in `parent`. Folders of running ones are not touched.
 *
 * @returns how many folders were removed
 *
 * **Fails** with `SpillFailure` where a folder can't be looked at or removed.
 */
export const sweepSpill = (parent: string): Effect.Effect<number, SpillFailure> =>
  Effect.tryPromise({
    try: async () => {
      let removed = 0
      for (const name of existsSync(parent) ? await readdir(parent) : []) {
        if (folderName.test(name) && (await sweepFolder(join(parent, name)))) removed++
      }
      return removed
    },
    catch: (cause) => new SpillFailure({ operation: "sweep", path: parent, cause })
  })

interface Lock {
  readonly close: () => void
}

const folderName = /^spill-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/**
 * Makes a folder and locks it. A sweeper may come between the two: it then holds the lock, or has removed the folder
 * already, and the next name is tried.
 */
const takeFolder = async (parent: string): Promise<{ readonly path: string; readonly lock: Lock }> => {
  makeFolders(parent)
  for (;;) {
    const path = join(parent, `spill-${randomUUID()}`)
    await mkdir(path, { mode: 0o700 })
    await writeFile(join(path, "lock"), "", { flag: "wx", mode: 0o600 })
    const lock = await tryLock(path)
    if (lock === undefined) continue
    if (existsSync(join(path, "lock"))) return { path, lock }
    lock.close()
  }
}

/** The lock of a folder, or `undefined` while somebody else has it. */
const tryLock = async (folder: string): Promise<Lock | undefined> => {
  const { DatabaseSync } = await import("node:sqlite")
  const lock = new DatabaseSync(join(folder, "lock"))
  try {
    lock.exec("PRAGMA busy_timeout = 0; PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE")
    return lock
  } catch (error) {
    lock.close()
    if ((error as { readonly errcode?: number }).errcode === sqliteBusy) return undefined
    throw error
  }
}

const sqliteBusy = 5

const sweepFolder = async (path: string): Promise<boolean> => {
  const status = await lstat(path)
  if (!status.isDirectory()) return false
  if (!existsSync(join(path, "lock"))) {
    // Its maker is just about to lock it, or died right there. By the system's clock, as the times of files are.
    if (Date.now() - status.mtimeMs < youngMs) return false
    await rm(path, { recursive: true, force: true })
    return true
  }
  const lock = await tryLock(path)
  if (lock === undefined) return false
  try {
    await rm(path, { recursive: true, force: true })
  } finally {
    lock.close()
  }
  return true
}

const youngMs = 60_000
