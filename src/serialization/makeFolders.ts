import { existsSync, mkdirSync } from "node:fs"
import { dirname } from "node:path"

/**
 * Makes a folder and those above it that are missing, for this user alone.
 *
 * Node's own `recursive` tries for ever where the system says that a folder is missing while it is there, as below `/proc`.
 *
 * **Fails** with the operating system's error.
 */
export const makeFolders = (path: string): void => {
  if (existsSync(path)) return
  const parent = dirname(path)
  if (parent !== path) makeFolders(parent)
  try {
    mkdirSync(path, { mode: 0o700 })
  } catch (error) {
    // Another process may have been faster.
    if (!existsSync(path)) throw error
  }
}
