import { basename, dirname } from "node:path"
import type { SegmentHandle, SegmentStorage } from "../../src/serialization/index.ts"

interface Unsynced {
  readonly at: number
  readonly bytes: Uint8Array
}

/** A file as the system shows it, and as it would be after a loss of power. */
interface File {
  content: Buffer
  durable: Buffer
  unsynced: Array<Unsynced | { readonly truncate: number }>
}

const errno = (code: string): NodeJS.ErrnoException => Object.assign(new Error(code), { code })

/**
 * A disk for tests: it can fail at any operation, fill up, write only a part before it fails, and lose power, after
 * which what was not synced is there in part or not at all.
 */
export class MemoryDisk implements SegmentStorage {
  readonly files = new Map<string, File>()
  /** Names that would survive a loss of power. */
  readonly #durableNames = new Set<string>()
  operations = 0
  /** Asked before each operation; what it returns is the failure of that operation. */
  fault: (operation: string, count: number) => string | undefined = () => undefined
  /** How much of a write that fails reaches the file nevertheless, from 0 to 1. */
  partial = 0

  #operate(operation: string): void {
    const code = this.fault(operation, this.operations++)
    if (code !== undefined) throw errno(code)
  }

  async list(directory: string): Promise<ReadonlyArray<string>> {
    this.#operate("list")
    return Array.from(this.files.keys())
      .filter((path) => dirname(path) === directory)
      .map((path) => basename(path))
  }

  async create(path: string): Promise<SegmentHandle> {
    this.#operate("create")
    if (this.files.has(path)) throw errno("EEXIST")
    this.files.set(path, { content: Buffer.alloc(0), durable: Buffer.alloc(0), unsynced: [] })
    return this.#handle(path)
  }

  async open(path: string): Promise<SegmentHandle> {
    this.#operate("open")
    if (!this.files.has(path)) throw errno("ENOENT")
    return this.#handle(path)
  }

  async remove(path: string): Promise<void> {
    this.#operate("remove")
    this.files.delete(path)
  }

  async syncDirectory(directory: string): Promise<void> {
    this.#operate("syncDirectory")
    for (const path of this.files.keys()) if (dirname(path) === directory) this.#durableNames.add(path)
  }

  #handle(path: string): SegmentHandle {
    const file = this.files.get(path)!
    return {
      write: async (bytes, position) => {
        // The caller must leave the bytes alone until the write is done.
        await Promise.resolve()
        try {
          this.#operate("write")
        } catch (error) {
          write(file, bytes.subarray(0, Math.floor(bytes.length * this.partial)), position)
          throw error
        }
        write(file, bytes, position)
      },
      read: async (into, position) => {
        this.#operate("read")
        const part = file.content.subarray(position, position + into.length)
        into.set(part)
        return part.length
      },
      size: async () => file.content.length,
      truncate: async (size) => {
        this.#operate("truncate")
        file.content = Buffer.from(file.content.subarray(0, size))
        file.unsynced.push({ truncate: size })
      },
      sync: async () => {
        this.#operate("sync")
        file.durable = Buffer.from(file.content)
        file.unsynced = []
      },
      close: async () => undefined
    }
  }

  /** Loses power: `survives` says of each sector that was written and not synced whether it is there afterwards. */
  losePower(survives: () => boolean): void {
    for (const [path, file] of this.files) {
      if (!this.#durableNames.has(path) && !survives()) {
        this.files.delete(path)
        continue
      }
      const after: File = { content: file.durable, durable: file.durable, unsynced: [] }
      for (const change of file.unsynced) {
        if ("truncate" in change) {
          if (survives()) after.content = Buffer.from(after.content.subarray(0, change.truncate))
          continue
        }
        for (let from = 0; from < change.bytes.length; from += sectorBytes) {
          if (survives()) write(after, change.bytes.subarray(from, from + sectorBytes), change.at + from)
        }
      }
      file.content = file.durable = after.content
      file.unsynced = []
    }
  }
}

const sectorBytes = 64

const write = (file: File, bytes: Uint8Array, at: number): void => {
  const content = Buffer.alloc(Math.max(file.content.length, at + bytes.length))
  content.set(file.content)
  content.set(bytes, at)
  file.content = content
  file.unsynced.push({ at, bytes: Uint8Array.from(bytes) })
}
