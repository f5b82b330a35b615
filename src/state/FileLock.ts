import { readFileSync, writeFileSync } from "node:fs"

export interface FileLock {
  readonly release: () => void
}

/**
 * Locks a file for this process alone, and writes beside it who that is.
 *
 * The lock is the operating system's, which SQLite takes for us since Node has no call for it. It is gone when the process
 * is, however that ends; a file with a process id in it would stay behind after a kill, and the id may be another process's
 * by then.
 *
 * **Fails** at once with what `busy` makes of the owner's name; with the operating system's error where the file can't be
 * made or written.
 */
export const lockFile = async (
  file: string,
  { busy, ownerFile }: { readonly ownerFile: string; readonly busy: (owner: string) => Error }
): Promise<FileLock> => {
  const { DatabaseSync } = await import("node:sqlite")
  const lock = openLock(() => new DatabaseSync(file), file)
  try {
    // Two that come at the same moment may both see the other's attempt; waiting a little lets one of them have it.
    lock.exec("PRAGMA busy_timeout = 100; BEGIN EXCLUSIVE")
  } catch (error) {
    lock.close()
    if ((error as { readonly errcode?: number }).errcode === sqliteBusy) throw busy(readOwner(ownerFile))
    throw ioFailure(error, file)
  }
  // Only for the other process's message; nothing depends on it.
  writeFileSync(ownerFile, JSON.stringify({ pid: process.pid, since: new Date().toISOString() }), { mode: 0o600 })
  return { release: () => lock.close() }
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
    { code: "EIO", syscall: "lock", path }
  )

const readOwner = (file: string): string => {
  try {
    const { pid, since } = JSON.parse(readFileSync(file, "utf8")) as { readonly pid: number; readonly since: string }
    return `process ${pid}, since ${since}`
  } catch {
    return "another process"
  }
}
