import type { Handle, HandleStatus, SpawnOptions, StreamHost } from "../host/index.ts"
import { ServiceFailure } from "./errors.ts"

/** A program as it is in its file now. */
export interface ProgramText {
  readonly file: string
  readonly source: string
}

export interface ServiceProgramsOptions {
  readonly host: StreamHost
  readonly restart: NonNullable<SpawnOptions["restart"]>
  /** What a program that has changed is given to work off what it has read, before its new text begins. */
  readonly drainMs: number
  readonly log: (line: string) => unknown
}

/** What a program of the service is doing. */
export interface ProgramStatus {
  readonly name: string
  readonly file: string
  readonly status: HandleStatus
  readonly restarts: number
  readonly error?: string
  /** The ids of its streams, the last 500 at most. */
  readonly streams: ReadonlyArray<string>
}

export interface Reloaded {
  readonly started: ReadonlyArray<string>
  readonly unchanged: ReadonlyArray<string>
  readonly refused: ReadonlyArray<string>
}

interface Running {
  readonly file: string
  source: string
  handle: Handle | undefined
  error: string | undefined
}

/** What is used of a service's `inspect`. */
interface Inspected {
  readonly restarts: number
  readonly lastError?: string
  readonly streams: ReadonlyArray<{ readonly id: string }>
}

const mostStreams = 500

/** The programs of `rtfs-streams serve`, each a supervised service named after its file. */
export class ServicePrograms {
  readonly #options: ServiceProgramsOptions
  readonly #running = new Map<string, Running>()

  constructor(options: ServiceProgramsOptions) {
    this.#options = options
  }

  /** Starts them all. **Fails** with what keeps the first of them from starting; nothing is left running by the host's stop. */
  async start(programs: ReadonlyArray<ProgramText>): Promise<void> {
    for (const { file, source } of programs) {
      const name = serviceName(file)
      const other = this.#running.get(name)
      if (other !== undefined) {
        throw new ServiceFailure({
          what: `The files ${other.file} and ${file} would both be the service ${name}`,
          fix: "Rename one of them."
        })
      }
      this.#running.set(name, { file, source, handle: undefined, error: undefined })
    }
    for (const [name, running] of this.#running) await this.#spawn(name, running)
  }

  /**
   * Starts programs anew whose text has changed, and those that have failed; the others go on. A text with errors is
   * refused: the program that runs stays.
   */
  async reload(read: (file: string) => Promise<string>): Promise<Reloaded> {
    const result = { started: new Array<string>(), unchanged: new Array<string>(), refused: new Array<string>() }
    for (const [name, running] of this.#running) {
      try {
        const source = await read(running.file)
        if (source === running.source && running.error === undefined && running.handle?.status !== "failed") {
          result.unchanged.push(name)
          continue
        }
        this.#refuseErrors(running.file, source)
        await this.#end(running)
        running.source = source
        await this.#spawn(name, running)
        result.started.push(name)
      } catch (error) {
        result.refused.push(name)
        void this.#options.log(`The service ${name} was not started anew: ${messageOf(error)}`)
      }
    }
    return result
  }

  get all(): ReadonlyArray<ProgramStatus> {
    return [...this.#running].map(([name, { error, file, handle }]) => {
      const inspected = handle?.inspect() as Inspected | undefined
      const problem = error ?? inspected?.lastError
      return {
        name,
        file,
        status: error === undefined ? (handle?.status ?? "created") : "failed",
        restarts: inspected?.restarts ?? 0,
        ...(problem === undefined ? {} : { error: problem }),
        streams: inspected?.streams.slice(-mostStreams).map(({ id }) => id) ?? []
      }
    })
  }

  #refuseErrors(file: string, source: string): void {
    const problem = this.#options.host.check(source, { file }).find(({ severity }) => severity === "error")
    if (problem === undefined) return
    const { at, message } = problem
    throw new ServiceFailure({ what: `${at.file}:${at.line}:${at.column}: ${message}`, fix: "Correct it and send SIGHUP again." })
  }

  async #end({ handle }: Running): Promise<void> {
    if (handle === undefined) return
    await handle.drain({ timeoutMs: this.#options.drainMs })
    await handle.result.catch(() => {})
    // The host lets go of its name in the turn after that.
    await new Promise(setImmediate)
  }

  async #spawn(name: string, running: Running): Promise<void> {
    running.error = undefined
    try {
      running.handle = await this.#options.host.spawn(running.source, { name, restart: this.#options.restart, file: running.file })
    } catch (error) {
      running.handle = undefined
      running.error = messageOf(error)
      throw error
    }
    running.handle.result.catch((error: unknown) => {
      if (running.handle?.status === "failed")
        void this.#options.log(`The service ${name} has failed, and is not restarted any more: ${messageOf(error)}`)
    })
  }
}

/** `flows/late-flights.rtfs` is the service `late-flights`. */
const serviceName = (file: string): string => {
  const base = file.slice(Math.max(file.lastIndexOf("/"), file.lastIndexOf("\\")) + 1)
  const name = base
    .replace(/(.)\.[^.]*$/, "$1")
    .replaceAll(/[^A-Za-z0-9._-]/g, "-")
    .slice(0, 128)
  return name === "" || name === "-" ? "program" : name
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
