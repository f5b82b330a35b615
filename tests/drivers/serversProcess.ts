import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { chownSync, closeSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { createServer, type AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"

/** How one kind of server is made and started, in a folder of its own. */
export interface ServerKind {
  readonly name: string
  /** Programs that have to be there; the path of the first is what runs. */
  readonly programs: ReadonlyArray<string>
  /** The user that it runs as where tests run as root, for servers that refuse root. */
  readonly user?: string
  /** Once, in the empty folder. */
  readonly prepare?: (place: Place) => void
  readonly command: (place: Place) => {
    readonly program: string
    readonly args: ReadonlyArray<string>
    readonly env?: Readonly<Record<string, string>>
  }
  readonly url: (port: number) => string
  /** Completes where it answers. */
  readonly probe: (url: string) => Promise<unknown>
}

export interface Place {
  readonly folder: string
  readonly port: number
  /** A second port for servers that talk among themselves. */
  readonly innerPort: number
  /** The path of a program. */
  readonly program: (name: string) => string
  /** For a command that prepares the folder: as the server's own user. */
  readonly as: { readonly uid?: number; readonly gid?: number }
}

/** Where Debian keeps what is on nobody's path. */
const folders = [
  ...(process.env["PATH"] ?? "").split(":"),
  "/usr/sbin",
  "/sbin",
  ...programsOf("/usr/lib/postgresql"),
  "/usr/lib/rabbitmq/bin"
]

function programsOf(folder: string): ReadonlyArray<string> {
  return contentOf(folder)
    .sort()
    .reverse()
    .map((version) => join(folder, version, "bin"))
}

function contentOf(folder: string): Array<string> {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}

const findProgram = (name: string): string | undefined => {
  const folder = folders.find((each) => contentOf(each).includes(name))
  return folder === undefined ? undefined : join(folder, name)
}

/** Why a server of this kind can't be started here. */
export const missing = ({ programs, user }: ServerKind): string | undefined => {
  const lost = programs.filter((program) => findProgram(program) === undefined)
  if (lost.length > 0) return `${lost.join(" and ")} not installed`
  return isRoot && user !== undefined && accountOf(user) === undefined ? `it refuses root, and there is no user ${user}` : undefined
}

const isRoot = process.getuid?.() === 0

const freePort = async (): Promise<number> => {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** A folder that a program of the server refuses to fill here, as without the right user or locale. */
export class NotPrepared extends Error {}

/** Those that run: none outlives this process. */
const running = new Set<OwnServer>()
process.on("exit", () => {
  for (const server of running) {
    server.killNow()
    rmSync(server.folder, { recursive: true, force: true })
  }
})

/**
 * A server of our own, with its data in a folder that is removed with it. It can be killed without a word, and started again.
 * What it has given to the operating system is there then, so that none of them has to wait for its disk.
 */
export class OwnServer {
  readonly kind: ServerKind
  readonly url: string
  readonly folder: string
  readonly #place: Place
  #process: ChildProcess | undefined

  private constructor(kind: ServerKind, place: Place) {
    this.kind = kind
    this.folder = place.folder
    this.#place = place
    this.url = kind.url(place.port)
  }

  static async start(kind: ServerKind): Promise<OwnServer> {
    const folder = mkdtempSync(join(tmpdir(), `rtfs-streams-${kind.name}-`))
    const as = userOf(kind.user)
    const program = (name: string) => findProgram(name)!
    const server = new OwnServer(kind, { folder, port: await freePort(), innerPort: await freePort(), program, as })
    try {
      if (as.uid !== undefined) chownSync(folder, as.uid, as.gid!)
      kind.prepare?.(server.#place)
      await server.start()
      return server
    } catch (error) {
      await server.remove()
      throw error
    }
  }

  /** @returns why there is none: what `missing` says, or that its folder can't be prepared here */
  static async startUnlessMissing(kind: ServerKind): Promise<OwnServer | string> {
    try {
      return missing(kind) ?? (await OwnServer.start(kind))
    } catch (error) {
      if (error instanceof NotPrepared) return error.message
      throw error
    }
  }

  get isRunning(): boolean {
    return this.#process !== undefined
  }

  get port(): number {
    return this.#place.port
  }

  /** Until it answers. */
  async start(patienceMs = 60_000): Promise<void> {
    const { args, env, program } = this.kind.command(this.#place)
    const log = openSync(join(this.folder, "log.txt"), "a")
    const child = spawn(program, args, {
      cwd: this.folder,
      stdio: ["ignore", log, log],
      env: { PATH: process.env["PATH"], HOME: this.folder, LANG: "C.UTF-8", ...env },
      ...this.#place.as
    })
    closeSync(log)
    this.#process = child
    running.add(this)
    const deadline = performance.now() + patienceMs
    for (;;) {
      try {
        return void (await this.kind.probe(this.url))
      } catch (error) {
        if (child.exitCode !== null || performance.now() > deadline) {
          const said = readFileSync(join(this.folder, "log.txt"), "utf8").slice(-1000)
          throw new Error(`${this.kind.name} does not start: ${(error as Error).message}\n${said}`, { cause: error })
        }
        await sleep(50)
      }
    }
  }

  /** With SIGKILL, and all that it started. */
  async kill(): Promise<void> {
    const child = this.#process
    const hasEnded = child === undefined || child.exitCode !== null || child.signalCode !== null
    const ended = hasEnded ? undefined : once(child, "exit")
    this.killNow()
    await ended
  }

  killNow(): void {
    running.delete(this)
    const child = this.#process
    this.#process = undefined
    if (child?.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
    // The first one stops before its children are looked for, so that it starts no further ones.
    signal(child.pid, "SIGSTOP")
    for (const pid of [...descendantsOf(child.pid), child.pid]) signal(pid, "SIGKILL")
  }

  async remove(): Promise<void> {
    await this.kill()
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 })
  }
}

const userOf = (name: string | undefined): Place["as"] => {
  if (name === undefined || !isRoot) return {}
  const [, , uid, gid] = accountOf(name)!
  return { uid: Number(uid), gid: Number(gid) }
}

function accountOf(name: string): ReadonlyArray<string> | undefined {
  const lines = readFileSync("/etc/passwd", "utf8").split("\n")
  return lines.find((each) => each.startsWith(`${name}:`))?.split(":")
}

const signal = (pid: number, name: NodeJS.Signals): void => {
  try {
    process.kill(pid, name)
  } catch {
    // It has ended.
  }
}

/** By /proc: no process that we did not start is among them. */
const descendantsOf = (root: number): ReadonlyArray<number> => {
  const children = new Map<number, Array<number>>()
  for (const entry of contentOf("/proc").filter((name) => /^\d+$/.test(name))) {
    const parent = parentOf(entry)
    if (parent !== undefined) children.set(parent, [...(children.get(parent) ?? []), Number(entry)])
  }
  const below = (pid: number): ReadonlyArray<number> => (children.get(pid) ?? []).flatMap((child) => [...below(child), child])
  return below(root)
}

const parentOf = (pid: string): number | undefined => {
  try {
    // The name of the program is in brackets, and may hold any character.
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8")
    return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1])
  } catch {
    return undefined
  }
}
