import { constants, type Stats } from "node:fs"
import { basename, dirname } from "node:path"
import { type FileOperations, nodeFiles } from "../../src/capabilities/files/FileOperations.ts"

const { O_CREAT, O_EXCL } = constants

/** A change of a file that was not synced yet. */
type Change = { readonly at: number; readonly bytes: Buffer } | { readonly size: number }

interface Inode {
  /** What every process sees, and what is on the disk for sure. */
  seen: Buffer
  synced: Buffer
  unsynced: Array<Change>
}

/** A change of a folder that was not synced yet: a name leads to another file, or to none. */
interface NameChange {
  readonly name: string
  readonly inode: Inode | undefined
}

export interface Fault {
  /** Which operation, from 1 on. */
  readonly at: number
  /** `once` and `for good` are errors of the disk; from `power off` on nothing is done any more. */
  readonly kind: "once" | "for good" | "power off"
}

const disk = (code: string): Error => Object.assign(new Error(code), { code, syscall: "model", errno: -5 })

/**
 * Files in one folder, on a disk with a write cache: `crash` keeps what was synced, and of the rest what chance keeps, in any
 * order. Names are kept only if their folder was synced; of its changes a crash keeps the first so many.
 *
 * Opening, reading, closing and asking for a size change nothing on a disk; they fail too.
 */
export class ModelFiles implements FileOperations {
  /** Operations so far. */
  operations = 0
  fault: Fault | undefined
  readonly #names = new Map<string, Inode>()
  #syncedNames = new Map<string, Inode>()
  #nameChanges: Array<NameChange> = []
  readonly #open = new Map<number, Inode | "folder">()
  #lastFd = 1000

  contentOf(name: string): string | undefined {
    return this.#names.get(name)?.seen.toString()
  }

  get names(): ReadonlyArray<string> {
    return [...this.#names.keys()]
  }

  /** Puts a file there, as from long ago. */
  put(name: string, content: string): void {
    const inode = { seen: Buffer.from(content), synced: Buffer.from(content), unsynced: [] }
    this.#names.set(name, inode)
    this.#syncedNames.set(name, inode)
  }

  /** The power is off, and on again. */
  crash(random: () => number): void {
    this.#open.clear()
    for (const { inode, name } of this.#nameChanges.slice(0, Math.floor(random() * (this.#nameChanges.length + 1)))) {
      setName(this.#syncedNames, name, inode)
    }
    this.#nameChanges = []
    this.#names.clear()
    for (const [name, inode] of this.#syncedNames) this.#names.set(name, inode)
    for (const inode of new Set(this.#names.values())) {
      const kept = inode.unsynced.filter(() => random() < 0.5)
      if (random() < 0.5) kept.reverse()
      inode.synced = kept.reduce(changed, inode.synced)
      inode.seen = inode.synced
      inode.unsynced = []
    }
    this.fault = undefined
    this.operations = 0
  }

  readonly open: FileOperations["open"] = (path, flags) =>
    this.#do(() => {
      const fd = ++this.#lastFd
      if (!path.endsWith(".txt") && !path.endsWith(".rtfs-part")) {
        this.#open.set(fd, "folder")
        return fd
      }
      const name = basename(path)
      let inode = this.#names.get(name)
      if (inode !== undefined && (flags & O_EXCL) !== 0) throw disk("EEXIST")
      if (inode === undefined) {
        if ((flags & O_CREAT) === 0) throw disk("ENOENT")
        inode = { seen: Buffer.alloc(0), synced: Buffer.alloc(0), unsynced: [] }
        this.#rename(name, inode)
      }
      this.#open.set(fd, inode)
      return fd
    })

  readonly stat: FileOperations["stat"] = (fd) =>
    this.#do(() => ({ size: this.#file(fd).seen.length, mode: 0o644, isFile: () => true }) as unknown as Stats)

  readonly read: FileOperations["read"] = (fd, into, from, length, offset) =>
    this.#do(() => this.#file(fd).seen.copy(into, from, offset, offset + length))

  /** Now and then it takes less than it is given, as disks do. */
  readonly write: FileOperations["write"] = (fd, bytes, from, length, offset) =>
    this.#do(() => {
      const taken = this.operations % 5 === 0 ? Math.ceil(length / 2) : length
      this.#change(fd, { at: offset, bytes: Buffer.from(bytes.subarray(from, from + taken)) })
      return taken
    })

  readonly truncate: FileOperations["truncate"] = (fd, size) => this.#do(() => this.#change(fd, { size }))
  readonly chmod: FileOperations["chmod"] = () => this.#do(() => {})
  readonly close: FileOperations["close"] = (fd) => this.#do(() => void this.#open.delete(fd))

  readonly sync: FileOperations["sync"] = (fd) =>
    this.#do(() => {
      const inode = this.#open.get(fd)
      if (inode === "folder") {
        for (const change of this.#nameChanges) setName(this.#syncedNames, change.name, change.inode)
        this.#nameChanges = []
      } else if (inode !== undefined) {
        inode.synced = inode.seen
        inode.unsynced = []
      }
    })

  readonly rename: FileOperations["rename"] = (from, to) =>
    this.#do(() => {
      if (dirname(from) !== dirname(to)) throw disk("EXDEV")
      const inode = this.#names.get(basename(from))
      if (inode === undefined) throw disk("ENOENT")
      // One change on the disk, too: a rename is atomic.
      this.#names.delete(basename(from))
      this.#names.set(basename(to), inode)
      this.#nameChanges.push({ name: basename(to), inode }, { name: basename(from), inode: undefined })
    })

  readonly remove: FileOperations["remove"] = (path) =>
    this.#do(() => {
      if (!this.#names.has(basename(path))) throw disk("ENOENT")
      this.#rename(basename(path), undefined)
    })

  #rename(name: string, inode: Inode | undefined): void {
    setName(this.#names, name, inode)
    this.#nameChanges.push({ name, inode })
  }

  #file(fd: number): Inode {
    const inode = this.#open.get(fd)
    if (inode === undefined || inode === "folder") throw disk("EBADF")
    return inode
  }

  #change(fd: number, change: Change): void {
    const inode = this.#file(fd)
    inode.unsynced.push(change)
    inode.seen = changed(inode.seen, change)
  }

  async #do<A>(work: () => A): Promise<A> {
    const { fault } = this
    this.operations++
    if (fault !== undefined && (fault.kind === "once" ? this.operations === fault.at : this.operations >= fault.at)) throw disk("EIO")
    return work()
  }
}

const setName = (names: Map<string, Inode>, name: string, inode: Inode | undefined): void => {
  if (inode === undefined) names.delete(name)
  else names.set(name, inode)
}

const changed = (content: Buffer, change: Change): Buffer => {
  if ("size" in change) {
    const cut = Buffer.alloc(change.size)
    content.copy(cut)
    return cut
  }
  const written = Buffer.alloc(Math.max(content.length, change.at + change.bytes.length))
  content.copy(written)
  change.bytes.copy(written, change.at)
  return written
}

/** While `work` runs, every file that is written in this process is in the model. */
export const withModelFiles = async <A>(files: ModelFiles, work: () => Promise<A>): Promise<A> => {
  const real = { ...nodeFiles }
  const names = Object.keys(real) as ReadonlyArray<keyof FileOperations>
  for (const name of names) Object.assign(nodeFiles, { [name]: files[name] })
  try {
    return await work()
  } finally {
    Object.assign(nodeFiles, real)
  }
}
