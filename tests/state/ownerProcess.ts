import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { createInterface } from "node:readline"

const library = new URL("../../src/state/index.ts", import.meta.url).href
const effects = ["Effect", "Scope"].map((name) => `import * as ${name} from "effect/${name}"`).join("\n")

/** What the child does: owns the stream, and then does what it is told, a line each, answering each with a line. */
const script = `
${effects}
import { openStateStore } from ${JSON.stringify(library)}
import { createInterface } from "node:readline"
const [url, stream, lease] = process.argv.slice(1)
const scope = Scope.makeUnsafe()
const inScope = (effect) => Effect.runPromise(Scope.provide(effect, scope))
const say = (word) => console.log(word)
try {
  const store = await inScope(openStateStore(url, { lease: JSON.parse(lease) }))
  const owner = await inScope(store.own(stream))
  say("owner " + owner.epoch)
  for await (const line of createInterface({ input: process.stdin })) {
    const [what, id] = line.split(" ")
    const write = what === "commit" ? owner.commit({ id: Number(id), time: 0, bytes: new Uint8Array([Number(id) % 256]) })
      : what === "fact" ? owner.facts.set("written", new Uint8Array([1])) : owner.clear
    say(await Effect.runPromise(Effect.match(write, { onFailure: (error) => error._tag, onSuccess: () => "done" })))
  }
} catch (error) {
  say(error._tag + " " + error.message)
}
`

/** Another process that owns a stream, to be killed, suspended and asked to write. */
export class OwnerProcess {
  readonly child: ChildProcess
  readonly #lines: AsyncIterator<string>

  private constructor(child: ChildProcess) {
    this.child = child
    this.#lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]()
  }

  /** @returns it and what it said first: `owner` and its epoch, or why it owns nothing */
  static async start(url: string, stream: string, lease: { readonly renewMs: number; readonly expiryMs: number }) {
    const child = spawn(process.execPath, ["--no-warnings", "--input-type=module", "-e", script, url, stream, JSON.stringify(lease)], {
      stdio: ["pipe", "pipe", "inherit"]
    })
    const owner = new OwnerProcess(child)
    return { owner, said: await owner.#line() }
  }

  /** @returns `done`, or the tag of what it failed with */
  ask(what: string): Promise<string> {
    this.send(what)
    return this.#line()
  }

  send(what: string): void {
    this.child.stdin!.write(`${what}\n`)
  }

  answer(): Promise<string> {
    return this.#line()
  }

  signal(signal: "SIGSTOP" | "SIGCONT"): void {
    this.child.kill(signal)
  }

  async kill(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return
    this.child.kill("SIGKILL")
    await once(this.child, "exit")
  }

  async #line(): Promise<string> {
    const { done, value } = await this.#lines.next()
    return done === true ? "gone" : value
  }
}
