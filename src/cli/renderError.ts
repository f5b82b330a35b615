import { isExpected } from "./exitStatus.ts"
import { UsageError } from "./UsageError.ts"

export interface ErrorContext {
  /** Whether the stack of an internal error is wanted. */
  readonly debug?: boolean
  /** The program, so that its failing line can be shown. */
  source?: string
}

/**
 * An error for a person: what, where, why and how to fix it. Stacks of ours are shown for internal errors only, and
 * only when asked for.
 */
export const renderError = (error: unknown, context: ErrorContext = {}): string => {
  if (error instanceof UsageError) {
    return `${error.message}\nSee: rtfs-streams ${error.command === undefined ? "" : `${error.command} `}--help`
  }
  if (!isExpected(error)) return renderInternal(error, context.debug === true)
  if (isRenderable(error)) return error.render(context.source)
  return withCauses(describe(error as Error))
}

interface Renderable {
  readonly render: (source?: string) => string
}

const isRenderable = (error: unknown): error is Renderable => typeof (error as Renderable).render === "function"

const renderInternal = (error: unknown, debug: boolean): string => {
  const what = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
  const stack = debug && error instanceof Error && error.stack !== undefined ? `\n${error.stack}` : ""
  const hint = debug ? "" : " Run it again with --debug to see where it happened."
  return `Internal error: ${what}\nThis is a fault of rtfs-streams, not of the program.${hint}${stack}`
}

/** The message of each error on the way to the first cause, but for those that repeat what was said. */
const withCauses = ({ cause, message }: Described): string => {
  const lines = [message]
  let current = cause
  for (let depth = 0; depth < 16 && current instanceof Error; depth++) {
    const next = describe(current)
    if (!lines.some((line) => line.includes(next.message))) lines.push(`  because: ${next.message}`)
    current = next.cause
  }
  return lines.join("\n")
}

interface Described {
  readonly message: string
  readonly cause: unknown
}

const describe = (error: Error): Described => {
  const { code, path, syscall } = error as NodeJS.ErrnoException
  const known = code === undefined || syscall === undefined ? undefined : systemErrors[code]
  return {
    message: known === undefined ? error.message : `${path === undefined ? syscall : JSON.stringify(path)}: ${known}`,
    cause: error.cause
  }
}

/** What Node's short codes mean, and what to do. */
const systemErrors: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file. Check the path; relative ones start at the working directory.",
  EISDIR: "that is a folder, not a file. Name a file in it.",
  ENOTDIR: "a part of the path is a file, not a folder. Check the path.",
  EACCES: "the operating system does not let this user do that. Change the permissions of the file, or use another.",
  EPERM: "the operating system does not let this user do that. Change the permissions of the file, or use another.",
  ENOSPC: "the disk is full. Make room and run the command again.",
  EROFS: "the file system is read-only. Use a path on another one.",
  EMFILE: "too many files are open. Raise the limit with ulimit -n, or open fewer at once."
}
