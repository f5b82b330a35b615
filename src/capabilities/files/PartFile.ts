import { createHash, randomInt } from "node:crypto"
import { readlinkSync } from "node:fs"
import { lstat, readdir, unlink } from "node:fs/promises"
import { hostname } from "node:os"
import { basename, dirname, join } from "node:path"

/** Of a part file that no checkpoint knows: the target, this machine, the process, and two digits that tell its files apart. */
export const partName = /^\.[0-9a-f]{16}\.rtfs-part$/

const owned = /^\.([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{6})[0-9a-f]{2}\.rtfs-part$/

/** A name for a part file beside its target, which tells the next one who writes there whose it is. */
export const newPartName = (target: string): string =>
  `.${digestOf(basename(target))}${machine()}${process.pid.toString(16).padStart(6, "0").slice(-6)}${ordinal()}.rtfs-part`

// From a random number on, so that a process finds a name of its own beside what another one with its id has left.
let names = randomInt(256)
const ordinal = (): string => (names++ % 256).toString(16).padStart(2, "0")

const digestOf = (text: string): string => createHash("sha256").update(text).digest("hex").slice(0, 4)

let machineDigest: string | undefined
/** Where process ids mean the same as here: a container that shares a folder with others has ids of its own. */
const machine = (): string => (machineDigest ??= digestOf(`${hostname()} ${processNamespace()}`))

const processNamespace = (): string => {
  try {
    return readlinkSync("/proc/self/ns/pid")
  } catch {
    return ""
  }
}

/**
 * Removes part files that a killed process has left beside a target.
 *
 * Removed is only what carries the target's mark, comes from this machine, and whose process is no more. Whatever is in
 * doubt stays, such as a file of a process whose id another one has by now; names that are not of this form are others'.
 * A folder is read once for each process, so that ten thousand files into one folder do not read it ten thousand times.
 *
 * @returns how many were removed. What can't be read or removed is left: it disturbs nothing
 */
export const sweepParts = async (target: string): Promise<number> => {
  const folder = dirname(target)
  let found = foldersRead.get(folder)
  if (found === undefined) {
    if (foldersRead.size >= mostFolders) foldersRead.clear()
    found = partsIn(folder)
    foldersRead.set(folder, found)
  }
  const parts = await found
  const mark = digestOf(basename(target))
  const stale = parts.get(mark) ?? []
  parts.delete(mark)
  const removed = await Promise.all(stale.map((name) => remove(join(folder, name))))
  return removed.filter(Boolean).length
}

/** By folder: the part files of this machine that were in it, by the mark of their target. */
const foldersRead = new Map<string, Promise<Map<string, Array<string>>>>()
const mostFolders = 1000

const partsIn = async (folder: string): Promise<Map<string, Array<string>>> => {
  const names = await readdir(folder).catch(() => [])
  return Map.groupBy(
    names.filter((name) => owned.exec(name)?.[2] === machine()),
    (name) => owned.exec(name)![1]!
  )
}

const remove = async (path: string): Promise<boolean> => {
  try {
    const pid = Number.parseInt(owned.exec(basename(path))![3]!, 16)
    const { isFile, mtimeMs } = await lstat(path).then((status) => ({ isFile: status.isFile(), mtimeMs: status.mtimeMs }))
    // In a container a process often has the id of the one before it. What it began itself it wrote to after it began.
    const began = Date.now() - process.uptime() * 1000
    if (!isFile || (pid === process.pid ? mtimeMs > began - slackMs : isAlive(pid))) return false
    await unlink(path)
    return true
  } catch {
    return false
  }
}

/** Clocks of files are coarser than ours. */
const slackMs = 10_000

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ESRCH"
  }
}
