import { damaged, StoreFailure } from "./errors.ts"

/** What SQLite's result codes mean for whoever keeps the file; see https://sqlite.org/rescode.html. */
export const sqliteFailure = (location: string, error: unknown): unknown => {
  const { code, errcode, message } = error as { readonly code?: unknown; readonly errcode?: number; readonly message: string }
  if (code !== "ERR_SQLITE_ERROR") {
    if (!(error instanceof Error && "syscall" in error)) return error
    return new StoreFailure(location, `can't be used: ${message}`, {
      fix: "Check the path, its permissions and the free space.",
      cause: error
    })
  }
  const fail = (problem: string, fix: string) => new StoreFailure(location, `${problem} (${message})`, { fix, cause: error })
  switch ((errcode ?? 0) & 0xff) {
    case 5:
    case 6:
      return fail("is locked by another program", "Close what has it open, such as a database shell.")
    case 3:
    case 8:
    case 14:
    case 23:
      return fail("can't be opened for writing", "Check the permissions of the file and of its folder: both must be writable.")
    case 10:
      return fail("could not be read or written", "Check the disk and its file system; what was committed before is still there.")
    case 13:
      return fail("is full", "Free some space on its disk; what was committed before is still there.")
    case 18:
      return fail("can't hold a value that large", "One state or dead letter may have up to 1 GB: reduce what the stream keeps.")
    default:
      return damaged(location, `is damaged (${message})`, error)
  }
}
