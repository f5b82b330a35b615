import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join, resolve } from "node:path"

/** Another process works in the data directory. */
export class DataDirectoryInUse extends Error {
  readonly _tag = "DataDirectoryInUse"
  readonly directory: string

  constructor(directory: string, owner: string) {
    super(
      `The data directory ${directory} is in use by ${owner}. `
        + `Two processes would overwrite each other's files: wait for the other one to end, stop it, or give another --data-dir.`
    )
    this.directory = directory
  }
  override get name() {
    return this._tag
  }
}

export interface DataDirectory {
  readonly path: string
  readonly release: () => void
}

/**
 * Makes the directory if need be, and takes it for this process alone.
 *
 * The lock is the operating system's lock on a file, which SQLite takes for us since Node has no call for it. It is gone
 * when the process is, however that ends; a file with a process id in it would stay behind after a kill, and the id may be
 * another process's by then.
 *
 * **Fails** with `DataDirectoryInUse`, at once; with the operating system's error where it can't be made or written.
 */
export const takeDataDirectory = async (directory: string): Promise<DataDirectory> => {
  const path = resolve(directory)
  mkdirSync(path, { recursive: true, mode: 0o700 })
  const { DatabaseSync } = await import("node:sqlite")
  const file = join(path, "lock")
  const lock = openLock(() => new DatabaseSync(file), file)
  try {
    // Two that come at the same moment may both see the other's attempt; waiting a little lets one of them have it.
    lock.exec("PRAGMA busy_timeout = 100; BEGIN EXCLUSIVE")
  } catch (error) {
    lock.close()
    if ((error as { readonly errcode?: number }).errcode === sqliteBusy) throw new DataDirectoryInUse(path, readOwner(path))
    throw ioFailure(error, file)
  }
  // Only for the other process's message; nothing depends on it.
  writeFileSync(join(path, "owner.json"), JSON.stringify({ pid: process.pid, since: new Date().toISOString() }), { mode: 0o600 })
  return { path, release: () => lock.close() }
}

const sqliteBusy = 5

const openLock = <Lock>(open: () => Lock, file: string): Lock => {
  try {
    return open()
  } catch (error) {
    throw ioFailure(error, file)
  }
}

/** SQLite's errors say neither which file nor, to us, that they are the operating system's. */
const ioFailure = (cause: unknown, path: string): Error =>
  Object.assign(
    new Error(`${path} can't be locked: ${(cause as Error).message}. Check the permissions and the free space of its folder.`, { cause }),
    {
      code: "EIO",
      syscall: "lock",
      path
    }
  )

const readOwner = (directory: string): string => {
  try {
    const { pid, since } = JSON.parse(readFileSync(join(directory, "owner.json"), "utf8")) as {
      readonly pid: number
      readonly since: string
    }
    return `process ${pid}, since ${since}`
  } catch {
    return "another process"
  }
}
