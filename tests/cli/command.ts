import { type ChildProcess, spawn, type SpawnOptions } from "node:child_process"
import { once } from "node:events"
import { fileURLToPath } from "node:url"

const main = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url))

export interface Outcome {
  /** The exit status, as a shell shows it: 128 and the signal's number for a process that a signal ended. */
  readonly status: number
  readonly stdout: string
  readonly stderr: string
}

export interface Running {
  readonly process: ChildProcess
  readonly outcome: Promise<Outcome>
  /** Resolves when standard output has contained the text. */
  readonly printed: (text: string) => Promise<void>
  /** The same of standard error. */
  readonly complained: (text: string) => Promise<void>
}

const signalNumbers: Readonly<Record<string, number>> = { SIGINT: 2, SIGKILL: 9, SIGTERM: 15 }

/** Starts the command line as a process of its own. What has not ended after 25 seconds is killed and shows as 137. */
export const start = (
  args: ReadonlyArray<string>,
  options: SpawnOptions & { readonly input?: string; readonly nodeArgs?: ReadonlyArray<string> } = {}
): Running => {
  const { input, nodeArgs = [], ...rest } = options
  const child = spawn(process.execPath, [...nodeArgs, main, ...args], { timeout: 25_000, killSignal: "SIGKILL", ...rest })
  const texts = { stdout: "", stderr: "" }
  const looks = { stdout: () => {}, stderr: () => {} }
  child.stdout!.setEncoding("utf8").on("data", (text: string) => {
    texts.stdout += text
    looks.stdout()
  })
  child.stderr!.setEncoding("utf8").on("data", (text: string) => {
    texts.stderr += text
    looks.stderr()
  })
  // A process that ends before it has read its input.
  child.stdin!.on("error", () => {})
  child.stdin!.end(input)
  const exited = once(child, "exit") as Promise<[number | null, string | null]>
  const outcome = exited.then(async ([code, signal]) => {
    // Where a test stopped reading, there is no end of the output to wait for.
    if (!child.stdout!.isPaused() && !child.stdout!.destroyed) await once(child, "close")
    return { status: code ?? 128 + signalNumbers[signal!]!, ...texts }
  })
  const said = (where: "stdout" | "stderr") => (text: string) =>
    new Promise<void>((resolve, reject) => {
      looks[where] = () => {
        if (texts[where].includes(text)) resolve()
      }
      looks[where]()
      void exited.then(() => reject(new Error(`It ended before it printed ${text}: ${texts.stdout}${texts.stderr}`)))
    })
  return { process: child, outcome, printed: said("stdout"), complained: said("stderr") }
}

/** Runs the command line to its end. */
export const rtfsStreams = (args: ReadonlyArray<string>, options?: Parameters<typeof start>[1]): Promise<Outcome> =>
  start(args, options).outcome
