import { createHash } from "node:crypto"
import { constants } from "node:fs"
import { basename, dirname, join } from "node:path"
import type { ByteSource } from "./ByteSource.ts"
import { FileFailure } from "./errors.ts"
import type { FileOperations } from "./FileOperations.ts"
import { newPartName, partName, sweepParts } from "./PartFile.ts"

export interface OutputFileOptions {
  readonly mode: "replace" | "append"
  /** The real path to write to; see `FileAccess.resolveForWriting`. */
  readonly target: string
  /** The path for messages, as the program wrote it. */
  readonly path: string
  readonly fsync: boolean
  readonly files: FileOperations
  /** Asked just before the target changes: fails if the path leads elsewhere by now. */
  readonly recheck: () => Promise<void>
  /** Goes on with an output that was begun before, cut back to what it had then. */
  readonly from?: OutputPosition | undefined
  /**
   * The output of a checkpointed stream: `discard` keeps what was written, for whoever goes on with it, and the part
   * file is the same in every process (`name`).
   */
  readonly durable?:
    | { readonly name: string; /** All of it was on the disk before: it may be under its name already. */ readonly isSealed: boolean }
    | undefined
}

/** How far an output has got, as a plain value. */
export interface OutputPosition {
  /** The name of the part file; `null` where the target itself grows. */
  readonly part: string | null
  /** Where in the file this output began, and how many bytes it has had since. */
  readonly start: number
  readonly written: number
}

const { O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_RDWR } = constants
/** Of a checkpointed stream: 32 digits, so that nothing which sweeps up after dead processes takes it for theirs. */
const durablePartName = /^\.[0-9a-f]{32}\.rtfs-part$/

/**
 * A file that comes into being, or grows, as a whole or not at all.
 *
 * `replace` writes a part file beside the target and renames it at `commit`; `append` writes behind what is there.
 * `discard` leaves the target as it was.
 *
 * **Fails** with `FileFailure`; after a failure only `discard` makes sense.
 * **Source** write, sync, rename, sync the folder: Pillai et al., OSDI 2014.
 */
export class OutputFile {
  written = 0
  /** It is under its name, and `discard` takes nothing back any more. */
  isCommitted = false
  readonly start: number
  readonly #options: OutputFileOptions
  readonly #fd: number
  /** Where the bytes are until `commit`. */
  readonly #place: string
  readonly #isPart: boolean
  /** The target did not exist before. */
  readonly #created: boolean
  #open = true

  static async open(options: OutputFileOptions): Promise<OutputFile> {
    const { files, from, mode, path } = options
    try {
      const { created, fd, place } = mode === "append" ? await openTarget(options) : await openPart(options)
      const output = await prepare(options, fd, place, created).catch(async (error: unknown) => {
        if (created) await removed(files, place)
        await closed(files, fd)
        throw error
      })
      return output
    } catch (error) {
      if (error instanceof FileFailure) throw error
      throw from !== undefined && (error as NodeJS.ErrnoException).code === "ENOENT"
        ? takenBack(path)
        : FileFailure.of("write", path, error)
    }
  }

  /** Use `OutputFile.open`. */
  constructor(options: OutputFileOptions, fd: number, place: string, created: boolean, start: number) {
    this.#options = options
    this.#fd = fd
    this.#place = place
    this.#isPart = place !== options.target
    this.#created = created
    this.start = start
  }

  get position(): OutputPosition {
    return { part: this.#options.mode === "replace" ? partOf(this.#options, this.#place) : null, start: this.start, written: this.written }
  }

  /** What was in the file before this output. */
  existing(): ByteSource {
    let offset = 0
    return {
      read: async (into, from, to) => {
        const count = await this.#options.files.read(this.#fd, into, from, Math.min(to - from, this.start - offset), offset)
        offset += count
        return count
      }
    }
  }

  /** The last bytes before this output. */
  async endOfExisting(bytes: number): Promise<Uint8Array> {
    const end = Buffer.alloc(Math.min(bytes, this.start))
    await this.#attempt(async (files) => void (await files.read(this.#fd, end, 0, end.length, this.start - end.length)))
    return end
  }

  write(bytes: Uint8Array): Promise<void> {
    return this.#attempt(async (files) => {
      // The disk may take less than it is given, most often when it is nearly full.
      for (let from = 0; from < bytes.length;) {
        const count = await files.write(this.#fd, bytes, from, bytes.length - from, this.start + this.written)
        from += count
        this.written += count
      }
    })
  }

  /** Everything written so far is on the disk. */
  sync(): Promise<void> {
    return this.#attempt((files) => files.sync(this.#fd))
  }

  /** Makes the output final: synced, under its name, and the name synced too. */
  commit(): Promise<void> {
    return this.#attempt(async (files) => {
      const { durable, recheck, target } = this.#options
      // The store will say that a checkpointed stream has ended: a power failure must not take the file back after that.
      const fsync = this.#options.fsync || durable !== undefined
      if (fsync) await files.sync(this.#fd)
      await recheck()
      if (this.#isPart) await files.rename(this.#place, target)
      this.isCommitted = true
      this.#open = false
      await files.close(this.#fd)
      if (fsync && (this.#isPart || this.#created)) await syncFolder(files, dirname(target))
    })
  }

  /** Takes back everything. After `commit` it does nothing. **Fails** where that is not possible: bytes of ours are left then. */
  async discard(): Promise<void> {
    if (!this.#open) return
    this.#open = false
    const { durable, files, path } = this.#options
    try {
      if (durable !== undefined) return
      if (this.#isPart || this.#created) await removed(files, this.#place)
      else await files.truncate(this.#fd, this.start)
    } catch (error) {
      throw FileFailure.of("take back what was written to", path, error)
    } finally {
      await closed(files, this.#fd)
    }
  }

  /** Goes back to a position of an earlier run. */
  async cutBackTo(position: OutputPosition): Promise<void> {
    const { size } = await this.#options.files.stat(this.#fd)
    // Under its name already, it is whole, or it is somebody else's.
    if (this.#place === this.#options.target && position.part !== null && size !== position.written) throw takenBack(this.#options.path)
    if (size < position.start + position.written) {
      throw new FileFailure({
        path: this.#options.path,
        operation: "go on with",
        problem: `the file has ${size} bytes, but ${position.start + position.written} were written and synced`,
        fix: "It was changed since the checkpoint: start over without the checkpoint."
      })
    }
    await this.#options.files.truncate(this.#fd, position.start + position.written)
    this.written = position.written
  }

  #attempt(work: (files: FileOperations) => Promise<void>): Promise<void> {
    return work(this.#options.files).catch((error: unknown) => {
      throw error instanceof Error && "_tag" in error ? error : FileFailure.of("write", this.#options.path, error)
    })
  }
}

const takenBack = (path: string): FileFailure =>
  new FileFailure({
    path,
    operation: "go on writing",
    problem: "what was written before was taken back when writing broke off",
    fix: "The target is as it was: run the stream again from its start or from a checkpoint."
  })

interface Opened {
  readonly fd: number
  readonly place: string
  readonly created: boolean
}

const openPart = async (options: OutputFileOptions): Promise<Opened> => {
  const { durable, files, from, path, target } = options
  if (from === undefined) {
    if (durable === undefined) await sweepParts(target)
    const place = join(dirname(target), durable === undefined ? newPartName(target) : durablePart(target, durable.name))
    // A durable one may be there from a process that died before its first checkpoint: nothing counts that is in it.
    const flags = durable === undefined ? O_EXCL : O_NONBLOCK
    const fd = await files.open(place, O_RDWR | O_CREAT | O_NOFOLLOW | flags, 0o666)
    if (durable !== undefined) await files.truncate(fd, 0)
    return { fd, place, created: true }
  }
  // The name comes out of a checkpoint, so it is believed no more than other data.
  if (from.part === null || !(partName.test(from.part) || durablePartName.test(from.part))) throw takenBack(path)
  const place = join(dirname(target), from.part)
  try {
    return { fd: await files.open(place, O_RDWR | O_NOFOLLOW | O_NONBLOCK, 0), place, created: false }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT" || durable?.isSealed !== true) throw error
    // A process died between the renaming and its noting so.
    return { fd: await files.open(target, O_RDWR | O_NOFOLLOW | O_NONBLOCK, 0), place: target, created: false }
  }
}

const durablePart = (target: string, name: string): string =>
  `.${createHash("sha256")
    .update(JSON.stringify([basename(target), name]))
    .digest("hex")
    .slice(0, 32)}.rtfs-part`

const partOf = ({ durable, target }: OutputFileOptions, place: string): string =>
  durable === undefined ? basename(place) : durablePart(target, durable.name)

const openTarget = async ({ files, from, target }: OutputFileOptions): Promise<Opened> => {
  const flags = O_RDWR | O_NOFOLLOW | O_NONBLOCK
  try {
    return { fd: await files.open(target, flags, 0), place: target, created: false }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT" || from !== undefined) throw error
    return { fd: await files.open(target, flags | O_CREAT | O_EXCL, 0o666), place: target, created: true }
  }
}

const prepare = async (options: OutputFileOptions, fd: number, place: string, created: boolean): Promise<OutputFile> => {
  const { durable, files, from, mode, path, target } = options
  const stats = await files.stat(fd)
  if (!stats.isFile()) {
    throw new FileFailure({
      path,
      operation: "write",
      problem: "it is no regular file",
      fix: "Devices, pipes and sockets are not written to."
    })
  }
  const output = new OutputFile(options, fd, place, created, mode === "replace" ? 0 : (from?.start ?? stats.size))
  // Checkpoints count on it: syncing a file does not make its name outlive a power failure.
  if (durable !== undefined && created) await syncFolder(files, dirname(place))
  const kept = mode === "replace" ? await permissionsOf(files, target) : undefined
  if (kept !== undefined) await files.chmod(fd, kept)
  if (from !== undefined) await output.cutBackTo(from)
  return output
}

/** Somebody may have removed it before. */
const removed = (files: FileOperations, path: string): Promise<void> =>
  files.remove(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error
  })

/** After a failure nothing can be lost by closing. */
const closed = (files: FileOperations, fd: number): Promise<void> => files.close(fd).catch(() => {})

/** The permissions of the file that is to be replaced. */
const permissionsOf = async (files: FileOperations, target: string): Promise<number | undefined> => {
  try {
    const fd = await files.open(target, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0)
    try {
      return (await files.stat(fd)).mode & 0o777
    } finally {
      await files.close(fd)
    }
  } catch {
    return undefined
  }
}

const syncFolder = async (files: FileOperations, folder: string): Promise<void> => {
  const fd = await files.open(folder, O_RDONLY, 0)
  try {
    await files.sync(fd)
  } finally {
    await files.close(fd)
  }
}
