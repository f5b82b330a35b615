import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, describe, expect, it } from "vitest"
import { StreamHost } from "rtfs-streams"
import { type Fault, ModelFiles, withModelFiles } from "../drivers/ModelFiles.ts"
import { randomOf } from "../drivers/numberedLines.ts"
import { numbersBindings, numbersExpected, numbersProgram } from "../drivers/numbersProgram.ts"

const folder = mkdtempSync(join(tmpdir(), "rtfs-streams-faulty-"))
afterAll(() => rmSync(folder, { recursive: true }))

/** `FC_RUNS=30` looks longer. */
const seeds = Number(process.env["FC_RUNS"] ?? 2)

interface Kind {
  readonly name: string
  readonly options: string
  readonly before: string
}

const kinds: ReadonlyArray<Kind> = [
  { name: "a file that is replaced", options: "", before: "" },
  { name: "a file that grows", options: ":mode :append", before: "from before\n" },
  { name: "a file whose end nobody waits for", options: ":fsync false", before: "" }
]

let stores = 0

/** One process after the other with one store, the first ones with a disk that fails. @returns what the last one ended with */
class Machine {
  readonly files = new ModelFiles()
  readonly #store = `memory:faulty-disk-${++stores}`
  readonly #kind: Kind

  constructor(kind: Kind) {
    this.#kind = kind
    if (kind.before !== "") this.files.put("out.txt", kind.before)
  }

  run(): Promise<unknown> {
    return withModelFiles(this.files, async () => {
      const host = await StreamHost.start({ store: this.#store, policy: { all: true }, log: () => {}, bindings: numbersBindings })
      try {
        return await host.run(numbersProgram(folder, this.#kind.options)).then(
          () => undefined,
          (error: unknown) => error
        )
      } finally {
        await host.stop()
      }
    })
  }

  expectExact(why: string): void {
    expect(this.files.contentOf("out.txt"), why).toBe(this.#kind.before + numbersExpected)
    expect(this.files.names, why).toEqual(["out.txt"])
  }
}

const tagOf = (error: unknown): string | undefined => {
  const { _tag, cause } = error as { readonly _tag?: string; readonly cause?: unknown }
  return (_tag === undefined || _tag === "ActorFailure") && cause !== undefined ? tagOf(cause) : _tag
}

/** Each operation in turn, until a run ends before it gets to the next. */
const atEachOperation = async (
  kind: Kind,
  fault: Fault["kind"],
  after: (machine: Machine, at: number, error: unknown) => Promise<void>
): Promise<void> => {
  for (let at = 1; ; at++) {
    const machine = new Machine(kind)
    machine.files.fault = { at, kind: fault }
    const error = await machine.run()
    if (machine.files.operations < at) {
      expect(error, "no operation failed").toBeUndefined()
      expect(at).toBeGreaterThan(25)
      return
    }
    await after(machine, at, error)
  }
}

describe.each(kinds)("the output of a checkpointed stream: $name", (kind) => {
  it.skipIf(kind.options.includes("fsync")).each(["once", "for good"] as const)(
    "CP-2 is exact, or an error that says so, when an operation of the disk fails %s",
    async (fault) => {
      await atEachOperation(kind, fault, async (machine, at, error) => {
        const why = `operation ${at} failed ${fault}: ${String(error)}`
        if (error === undefined) machine.expectExact(why)
        else expect(tagOf(error), why).toBe("FileFailure")
        machine.files.fault = undefined
        expect(await machine.run(), why).toBeUndefined()
        machine.expectExact(why)
      })
    }
  )

  it("CP-2 is exact after the power has failed at any operation, whatever the disk's cache kept of what was not synced", async () => {
    for (let seed = 1; seed <= seeds; seed++) {
      const random = randomOf(seed)
      await atEachOperation(kind, "power off", async (machine, at) => {
        const why = `power off at operation ${at}, seed ${seed}`
        machine.files.crash(random)
        expect(await machine.run(), why).toBeUndefined()
        machine.expectExact(why)
      })
    }
  })

  it("CP-2 is exact when the power fails right after it has ended", async () => {
    for (let seed = 1; seed <= 10; seed++) {
      const machine = new Machine(kind)
      expect(await machine.run()).toBeUndefined()
      machine.files.crash(randomOf(seed))
      expect(await machine.run()).toBeUndefined()
      machine.expectExact(`seed ${seed}`)
    }
  })
})
