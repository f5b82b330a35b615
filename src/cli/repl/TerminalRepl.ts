import { createInterface, type Interface } from "node:readline"
import type { Session, SessionResult, StreamHost } from "../../host/index.ts"
import { loadDocumentation, printForm, readForms } from "../../rtfs/index.ts"
import type { Invocation } from "../Command.ts"
import { renderError } from "../renderError.ts"
import { documentationText } from "./documentationText.ts"
import { evaluateForms } from "./evaluateForms.ts"
import { type History, maximumEntries } from "./History.ts"
import { isIncomplete } from "./inputForms.ts"
import { shownValue } from "./shownValue.ts"

const firstPrompt = "rtfs> "
const nextPrompt = "   .. "

/** How many items of a stream are shown. */
const maxItems = 100

const help = `Type a form and press Enter: its value is shown. A form that is not complete goes on on the next line.
Streams are consumed, and their first ${maxItems} items shown. Tab completes names, and inside of (call :…) capabilities and options.

  :doc NAME   what a special form, function, type or capability does
  :help       this text
  :quit       leaves, as Ctrl-D does; streams that run are drained

Ctrl-C cancels what is typed or evaluated; streams that run are listed, and cancelled when it is pressed again.`

export interface TerminalReplOptions {
  readonly host: StreamHost
  readonly session: Session
  readonly history: History
  readonly invocation: Invocation
  /** Aborted when the process is to end. */
  readonly signal: AbortSignal
}

/** How many inputs are kept, so that errors in their functions can show the line. */
const keptInputs = 200

/** Readline with what its types leave out or make read-only; Node's own REPL relies on it too. */
type Lines = Omit<Interface, "line" | "cursor"> & { readonly history: Array<string>; line: string; cursor: number }

/** The conversation in a terminal: prompts, editing, completion, and what Ctrl-C does. Nothing that fails ends it. */
export class TerminalRepl {
  readonly #options: TerminalReplOptions
  readonly #lines: Lines
  /** The lines of the input that is being written. */
  #input = ""
  /** By the name under which errors know them. */
  readonly #inputs = new Map<string, string>()
  #count = 0
  /** What was in readline's history before this input. */
  #historyBefore: ReadonlyArray<string> = []
  /** Lines typed while an input is evaluated. */
  readonly #waiting: Array<string> = []
  #isBusy = false
  #isPrompting = false
  #isClosed = false
  /** Whether Ctrl-C has just listed the streams, so that the next one cancels them. */
  #hasListed = false

  constructor(options: TerminalReplOptions) {
    this.#options = options
    this.#lines = createInterface({
      input: process.stdin,
      output: process.stdout,
      terminal: true,
      history: [...options.history.entries],
      historySize: maximumEntries,
      removeHistoryDuplicates: true,
      completer: (line: string, done: (error: null, result: [Array<string>, string]) => void) => {
        void this.#complete(line).then(
          (found) => done(null, found),
          () => done(null, [[], line])
        )
      }
    }) as Lines
  }

  /** Talks until the user leaves. */
  async run(): Promise<void> {
    const { output } = this.#options.invocation
    // What streams print goes above the line that is being typed.
    output.show({ clear: () => this.#liftPrompt() })
    await output.line(":help shows what can be typed here, :quit leaves.")
    await new Promise<void>((resolve) => {
      this.#lines.on("line", (line) => {
        this.#isPrompting = false
        this.#hasListed = false
        this.#waiting.push(line)
        void this.#work()
      })
      this.#lines.on("SIGINT", () => void this.#interrupt())
      this.#lines.on("close", () => {
        this.#isClosed = true
        this.#isPrompting = false
        resolve()
      })
      this.#prompt()
    })
    this.#options.session.cancel()
    output.show(undefined)
    await output.line("")
  }

  close(): void {
    this.#lines.close()
  }

  #prompt(): void {
    if (this.#isClosed) return
    this.#lines.setPrompt(this.#input === "" ? firstPrompt : nextPrompt)
    this.#isPrompting = true
    this.#lines.prompt(true)
  }

  #liftPrompt(): void {
    if (!this.#isPrompting) return
    this.#isPrompting = false
    const { rows } = this.#lines.getCursorPos()
    process.stdout.write(`${rows > 0 ? `\u001b[${rows}A` : ""}\r\u001b[J`)
    // Once for all lines that are printed in one go.
    setImmediate(() => {
      if (!this.#isBusy) this.#prompt()
    })
  }

  async #work(): Promise<void> {
    if (this.#isBusy) return
    this.#isBusy = true
    while (this.#waiting.length > 0 && !this.#isClosed) await this.#take(this.#waiting.shift()!)
    this.#isBusy = false
    this.#prompt()
  }

  async #take(line: string): Promise<void> {
    if (this.#input === "") {
      const command = /^\s*:(help|quit|doc)(?:\s+(\S+))?\s*$/.exec(line)
      if (command !== null) {
        this.#options.history.add(line.trim())
        return this.#command(command[1]!, command[2])
      }
      // Readline has added the line already.
      this.#historyBefore = this.#lines.history.slice(this.#lines.history[0] === line ? 1 : 0)
    }
    this.#input += `${line}\n`
    if (this.#input.trim() === "") this.#input = ""
    else if (!isIncomplete(this.#input)) {
      const input = this.#input
      this.#input = ""
      this.#remember(input)
      await this.#evaluate(input)
    }
  }

  async #command(name: string, operand: string | undefined): Promise<void> {
    const { host, invocation } = this.#options
    if (name === "quit") this.close()
    else if (name === "help" || operand === undefined) await invocation.output.line(help)
    else await invocation.output.line(await documentationText(operand, host))
  }

  async #evaluate(input: string): Promise<void> {
    const { session, signal } = this.#options
    const { errors, flags, output } = this.#options.invocation
    const file = `input-${++this.#count}`
    this.#inputs.set(file, input)
    this.#inputs.delete(`input-${this.#count - keptInputs}`)
    try {
      await evaluateForms(input, file, {
        session,
        signal,
        timeoutMs: flags.timeout,
        maxItems,
        onItem: async (item) => output.line(await this.#shown(item)),
        onResult: (result) => this.#show(result),
        onError: (error) => {
          throw error
        }
      })
    } catch (error) {
      const isCancelled = (error as { readonly _tag?: string })._tag === "EvaluationCancelled"
      // It may have happened in a function of an earlier input.
      const source = this.#inputs.get((error as { readonly at?: { readonly file?: string } }).at?.file ?? file)
      await output.problem(isCancelled ? "Cancelled." : renderError(error, { ...errors, ...(source === undefined ? {} : { source }) }))
      if (isCancelled) await this.#listStreams()
    }
  }

  async #show({ stream, value }: SessionResult): Promise<void> {
    const { output } = this.#options.invocation
    if (stream === undefined) await output.line(await this.#shown(value))
    else
      await output.problem(
        stream.isCut
          ? `Those were the first ${stream.items} items; the stream was cancelled.`
          : `${stream.items} item${stream.items === 1 ? "" : "s"}.`
      )
  }

  #shown(value: unknown): Promise<string> {
    return shownValue(value, process.stdout.columns)
  }

  /** An input of several lines comes back as one line, where that means the same. */
  #remember(input: string): void {
    const { history } = this.#options
    const lines = input.trim().split("\n")
    const joined = lines.map((line) => line.trim()).join(" ")
    if (lines.length > 1 && isSame(input, joined)) {
      this.#lines.history.splice(0, this.#lines.history.length, joined, ...this.#historyBefore)
      history.add(joined)
    } else for (const line of lines) history.add(line)
  }

  async #interrupt(): Promise<void> {
    const { session } = this.#options
    const { output } = this.#options.invocation
    if (this.#isBusy) {
      this.#waiting.length = 0
      session.cancel()
      return
    }
    if (this.#input !== "" || this.#lines.line !== "") {
      this.#input = ""
      this.#isPrompting = false
      process.stdout.write("^C\n")
    } else if (session.streams.length === 0) await output.problem("Nothing runs. Ctrl-D or :quit leaves.")
    else if (this.#hasListed) {
      this.#hasListed = false
      await session.cancelStreams()
      await output.problem("The streams were cancelled.")
    } else await this.#listStreams()
    this.#lines.line = ""
    this.#lines.cursor = 0
    this.#prompt()
  }

  async #listStreams(): Promise<void> {
    const { session, invocation } = this.#options
    const { streams } = session
    if (streams.length === 0) return
    this.#hasListed = true
    const names = streams.map(({ id, status }) => `  ${id}  ${status}`)
    await invocation.output.problem(
      [`${streams.length === 1 ? "This stream goes" : "These streams go"} on; Ctrl-C once more cancels:`, ...names].join("\n")
    )
  }

  async #complete(line: string): Promise<[Array<string>, string]> {
    const { host, session } = this.#options
    const asked = this.#input === "" ? /^\s*:doc\s+(\S*)$/.exec(line) : null
    if (asked !== null) {
      const [, word = ""] = asked
      const names = [
        ...(await loadDocumentation()).map(({ name }) => name),
        ...host.capabilities().map(({ id }) => (word.startsWith(":") ? `:${id}` : id))
      ]
      return [[...new Set(names)].filter((name) => name.startsWith(word)).toSorted(), word]
    }
    if (this.#input === "" && /^:[a-z]*$/.test(line))
      return [[":doc ", ":help", ":quit"].filter((command) => command.startsWith(line)), line]
    const text = this.#input + line
    const { candidates, start } = await session.complete(text)
    return [[...candidates], text.slice(start)]
  }
}

const isSame = (source: string, joined: string): boolean => {
  try {
    return readForms(source).map(printForm).join("\n") === readForms(joined).map(printForm).join("\n")
  } catch {
    return false
  }
}
