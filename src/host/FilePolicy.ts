import { close, constants, fstat, open, realpathSync, type Stats, statSync } from "node:fs"
import { lstat, readlink, realpath, stat } from "node:fs/promises"
import { basename, dirname, join, resolve, sep } from "node:path"
import { promisify } from "node:util"
import * as Effect from "effect/Effect"
import type { FileAccess } from "../actors/index.ts"
import { FileFailure } from "../capabilities/index.ts"
import { PermissionDenied } from "./errors.ts"
import { InvalidHostOption } from "./HostOptions.ts"

/** Which files programs may touch; what is left out is not granted. */
export interface FileGrants {
  /** Files, and folders with all below them. Relative ones start at the working folder. */
  readonly read?: ReadonlyArray<string>
  readonly write?: ReadonlyArray<string>
  /**
   * The folder that programs see as `/`, and as their working folder. Alone it grants everything in it; beside `read` or
   * `write` only those, which are paths in it or, where that is how they begin, the host's paths to what is in it.
   */
  readonly fsRoot?: string | undefined
  /** Everything that the process itself may touch (in `fsRoot`, where there is one). */
  readonly all?: boolean
}

type Access = "read" | "write"

/** Where a path leads: the real path of what is there, or of the deepest folder that is and what is missing below it. */
interface Place {
  readonly real: string
  /** How many names at the end of `real` do not exist. */
  readonly missing: number
}

/**
 * Opens files below granted roots, and nothing else.
 *
 * Roots are resolved once, here. A path is resolved through all its links, compared name by name with the roots, opened
 * without following another link, and looked at again once it is open: Node can't open relative to a folder, so a
 * folder exchanged between two of these steps is noticed, not prevented. Only regular files are opened, without waiting
 * for them: a pipe that nobody writes to would hold a thread for good.
 *
 * **Fails** by throwing `InvalidHostOption` where `fsRoot` is no folder. The access fails with `PermissionDenied`
 * whether or not there is such a file, and inside the roots with `FileFailure`.
 */
export const makeFileAccess = (grants: FileGrants): FileAccess => {
  const policy = new FilePolicy(grants)
  return {
    check: (access, path) => attempt(() => policy.check(access, path)),
    openForReading: (path) => attempt(() => policy.openForReading(path)),
    resolveForWriting: (path) => attempt(() => policy.resolveForWriting(path))
  }
}

const attempt = <Value>(work: () => Promise<Value>): Effect.Effect<Value, unknown> =>
  Effect.tryPromise({ try: work, catch: (error) => error })

class FilePolicy {
  readonly #roots: Readonly<Record<Access, ReadonlyArray<string>>>
  readonly #fsRoot: string | undefined
  readonly #workingFolder = process.cwd()

  constructor({ all, fsRoot, read = [], write = [] }: FileGrants) {
    this.#fsRoot = fsRoot === undefined ? undefined : realFolder(fsRoot)
    const everything = [this.#fsRoot ?? resolve("/")]
    const isWhole = all === true || (fsRoot !== undefined && read.length === 0 && write.length === 0)
    const resolved = (roots: ReadonlyArray<string>) => (isWhole ? everything : roots.map((root) => this.#resolveRoot(root)))
    this.#roots = { read: resolved(read), write: resolved(write) }
  }

  /** Whether it is granted at all; whether it works out is told when it is opened. */
  async check(access: Access, path: string): Promise<void> {
    await this.#locate(access, path).catch((error: unknown) => {
      if (error instanceof PermissionDenied) throw error
    })
  }

  async openForReading(path: string): Promise<{ readonly fd: number; readonly size: number; readonly path: string }> {
    const { missing, real } = await this.#locate("read", path)
    if (missing > 0) throw FileFailure.of("read", path, { code: "ENOENT" })
    await refuseOtherThanFile("read", path, real)
    const { O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = constants
    const fd = await openFile(real, O_RDONLY | O_NOFOLLOW | O_NONBLOCK).catch((error: unknown) => {
      throw FileFailure.of("read", path, error)
    })
    try {
      const stats = await statOf(fd)
      if (!stats.isFile()) throw notRegular("read", path)
      if (!(await isStillAt(fd, stats, real))) throw denied("read", path, "leads to another place than when it was checked")
      return { fd, size: stats.size, path }
    } catch (error) {
      await closeFile(fd)
      throw error
    }
  }

  async resolveForWriting(path: string): Promise<string> {
    const { missing, real } = await this.#locate("write", path)
    if (missing > 1) {
      throw new FileFailure({
        path,
        operation: "write",
        problem: "its folder does not exist",
        fix: "Create the folder first.",
        code: "ENOENT"
      })
    }
    if (missing === 0) await refuseOtherThanFile("write", path, real)
    return real
  }

  /** **Fails** before anything is told of a path outside of the roots, not even whether it exists. */
  async #locate(access: Access, path: string): Promise<Place> {
    if (path === "" || path.includes("\0")) {
      throw new FileFailure({ path, operation: access, problem: "it is no path", fix: "Name a file, without NUL characters." })
    }
    const named = this.#fsRoot === undefined ? resolve(this.#workingFolder, path) : join(this.#fsRoot, resolve("/", path))
    let place: Place
    try {
      place = await realPlace(named)
    } catch (error) {
      if (!this.#isGranted(access, named)) throw denied(access, path, outside)
      throw FileFailure.of(access, path, error)
    }
    if (!this.#isGranted(access, place.real)) throw denied(access, path, outside)
    // resolve() drops the slash at the end, which says that a folder is meant.
    if (path.endsWith("/") || path.endsWith(sep)) throw FileFailure.of(access, path, { code: "EISDIR" })
    return place
  }

  #isGranted(access: Access, real: string): boolean {
    return this.#roots[access].some(
      (root) => isWithin(real, root) && !kernelFolders.some((folder) => isWithin(real, folder) && !isWithin(root, folder))
    )
  }

  /** In an `fsRoot`, a root that lies in it as the host sees paths is meant so; any other as programs see them. */
  #resolveRoot(root: string): string {
    const ofHost = realOfRoot(resolve(this.#workingFolder, root))
    if (this.#fsRoot === undefined || isWithin(ofHost, this.#fsRoot)) return ofHost
    return realOfRoot(join(this.#fsRoot, resolve("/", root)))
  }
}

// Plain descriptors: the handles of node:fs/promises close the file when they are collected as garbage.
const openFile = promisify(open) as (path: string, flags: number) => Promise<number>
const statOf = promisify(fstat) as (fd: number) => Promise<Stats>
const closeFile = promisify(close)

const outside = "lies outside of what the host grants"

/** The kernel's views of processes and devices, which a grant of everything does not mean: they tell secrets of the host. */
const kernelFolders = process.platform === "win32" ? [] : ["/proc", "/sys"]

const isWithin = (path: string, root: string): boolean => path === root || path.startsWith(root.endsWith(sep) ? root : root + sep)

const denied = (access: Access, path: string, why: string): PermissionDenied =>
  new PermissionDenied({
    what: `to ${access} ${JSON.stringify(path)}, which ${why}`,
    remedy: `grant it with --allow-${access} PATH (policy.${access}), or choose a path that is granted`
  })

const notRegular = (access: Access, path: string): FileFailure =>
  new FileFailure({
    path,
    operation: access,
    problem: "it is no regular file",
    fix: "Folders, pipes, sockets and devices are not streamed: name a file."
  })

const refuseOtherThanFile = async (access: Access, path: string, real: string): Promise<void> => {
  const stats = await lstat(real).catch((error: unknown) => {
    throw FileFailure.of(access, path, error)
  })
  if (stats.isDirectory()) throw FileFailure.of(access, path, { code: "EISDIR" })
  if (!stats.isFile()) throw notRegular(access, path)
}

/** Whether an open file is what lies at the path that was checked. */
const isStillAt = async (fd: number, stats: Stats, real: string): Promise<boolean> => {
  try {
    // What the kernel says of the descriptor itself can't be exchanged behind our back.
    const opened = await readlink(`/proc/self/fd/${fd}`)
    return opened === real || opened === `${real} (deleted)`
  } catch {
    // Not on Linux: resolve the path once more.
    const now = await stat(real)
    return (await realpath(real)) === real && now.dev === stats.dev && now.ino === stats.ino
  }
}

/** **Fails** for links that lead nowhere: what a link names may be anywhere. */
const realPlace = async (path: string): Promise<Place> => {
  try {
    return { real: await realpath(path), missing: 0 }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT" || dirname(path) === path) throw error
    if (await exists(path)) throw Object.assign(new Error("a link leads nowhere"), { code: "ELOOP" })
    const folder = await realPlace(dirname(path))
    return { real: join(folder.real, basename(path)), missing: folder.missing + 1 }
  }
}

const exists = (path: string): Promise<boolean> =>
  lstat(path).then(
    () => true,
    () => false
  )

/** A root need not exist yet. */
const realOfRoot = (root: string): string => {
  try {
    return realpathSync.native(root)
  } catch {
    return dirname(root) === root ? root : join(realOfRoot(dirname(root)), basename(root))
  }
}

const realFolder = (fsRoot: string): string => {
  try {
    const real = realpathSync.native(fsRoot)
    if (statSync(real).isDirectory()) return real
  } catch {
    // Said below.
  }
  throw new InvalidHostOption(
    "policy.fsRoot",
    `is ${JSON.stringify(fsRoot)}, which is no folder: create it, or name another (--fs-root DIR)`
  )
}
