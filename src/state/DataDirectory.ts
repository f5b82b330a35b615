import { existsSync, writeFileSync } from "node:fs"
import { join, resolve } from "node:path"
import { DataDirectoryInUse } from "./errors.ts"
import { lockFile } from "./FileLock.ts"
import { makeFolders } from "../serialization/index.ts"

export interface DataDirectory {
  readonly path: string
  readonly release: () => void
}

/**
 * Makes the directory if need be, and takes it for this process alone.
 *
 * **Fails** with `DataDirectoryInUse`, at once; with the operating system's error where it can't be made or written.
 */
export const takeDataDirectory = async (directory: string): Promise<DataDirectory> => {
  const path = resolve(directory)
  makeFolders(path)
  const file = join(path, "lock")
  makePrivate(file)
  const lock = await lockFile(file, {
    ownerFile: join(path, "owner.json"),
    busy: (owner) => new DataDirectoryInUse(path, owner, "data directory")
  })
  return { path, release: lock.release }
}

/** Makes a file that only this user may read, before SQLite would make one that all may. */
export const makePrivate = (file: string): void => {
  if (!existsSync(file)) writeFileSync(file, "", { flag: "a", mode: 0o600 })
}
