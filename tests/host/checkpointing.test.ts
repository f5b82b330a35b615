import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeEach, describe, expect, it } from "vitest"
import { type HostOptions, StreamHost } from "rtfs-streams"

const root = mkdtempSync(join(tmpdir(), "rtfs-streams-checkpointing-"))
afterAll(() => rmSync(root, { recursive: true }))

let store = ""
let ordinal = 0
beforeEach(() => {
  store = `memory:checkpointing-${++ordinal}`
})

const withHost = async <Result>(
  options: Pick<HostOptions, "bindings" | "log" | "policy">,
  use: (host: StreamHost) => Promise<Result>
): Promise<Result> => {
  await using host = await StreamHost.start({ store, policy: { all: true, fsRoot: root }, log: () => {}, ...options })
  return await use(host)
}

/** Runs a program and ends its host at once when `crash` is called: what is in no checkpoint is gone. */
const crashing = (program: string, bindings: (crash: () => void) => Record<string, unknown>): Promise<unknown> =>
  withHost({ bindings: bindings(() => crash()) }, async (host) => {
    const running = host.run(program).catch((error: unknown) => error)
    expect(await Promise.race([crashed, running])).toBe(undefined)
    await host.stop({ timeout: 0 })
    return await running
  })
let crash: () => void = () => {}
let crashed: Promise<void> = Promise.resolve()
beforeEach(() => {
  crashed = new Promise((resolve) => (crash = resolve))
})

const sums = (more = "") => `
  (call :stream.await
    (call :stream.reduce
      (call :stream.map (call :stream.with-checkpointing (range 1 101) {:stream-id "sums" :every-n-items 1 :checkpoint-interval 5 ${more}})
        {:transform (fn [x] (seen x))})
      {:initial 0 :reducer + :on-result (fn [sum] sum)}))`

/** Gives 100 numbers, and never comes back from the one at which the process ends. */
const until = (last: number, seen: Array<number>, end: () => void) => async (x: number) => {
  seen.push(x)
  if (x === last) {
    // Long enough for some checkpoints to be taken before.
    end()
    await new Promise(() => {})
  }
  await new Promise((resolve) => setTimeout(resolve, 1))
  return x
}

describe("checkpointing", () => {
  it("goes on behind the last checkpoint, with the state that it had", async () => {
    const first: Array<number> = []
    await crashing(sums(), (end) => ({ seen: until(60, first, end) }))
    const second: Array<number> = []
    const sum = await withHost({ bindings: { seen: (x: number) => (second.push(x), x) } }, (host) => host.eval(sums()))
    expect(sum).toBe(5050)
    expect(first.at(-1)).toBe(60)
    // Something was not done twice, and nothing was left out.
    expect(second[0]).toBeGreaterThan(1)
    expect(second[0]).toBeLessThanOrEqual(60)
    expect(second.at(-1)).toBe(100)
  })

  it("gives the result of a stream that has ended again, and does nothing", async () => {
    const seen: Array<number> = []
    const bindings = { seen: (x: number) => (seen.push(x), x) }
    expect(await withHost({ bindings }, (host) => host.eval(sums()))).toBe(5050)
    expect(await withHost({ bindings }, (host) => host.eval(sums()))).toBe(5050)
    expect(seen).toHaveLength(100)
  })

  it("calls :on-checkpoint behind each checkpoint, with the stream, the checkpoint and the states by actor", async () => {
    const told: Array<{ "stream-id": string; "checkpoint-id": number; state: unknown }> = []
    const bindings = {
      seen: async (x: number) => (await new Promise((resolve) => setTimeout(resolve, 1)), x),
      note: (map: never) => void told.push(map)
    }
    await withHost({ bindings }, (host) => host.eval(sums(":on-checkpoint (fn [c] (note c))")))
    expect(told.length).toBeGreaterThan(2)
    expect(told.map((map) => map["checkpoint-id"])).toEqual(told.map((_, index) => index + 1))
    expect(told[0]).toMatchObject({ "stream-id": "sums", state: { "from-collection": expect.anything() } })
  })

  it("refuses a second run of the same stream while the first one goes on", async () => {
    await withHost({ bindings: { seen: until(50, [], () => crash()) } }, async (host) => {
      const running = host.run(sums()).catch(() => {})
      await crashed
      await expect(host.eval(sums())).rejects.toThrow(/stream sums is in use/)
      await withHost({ bindings: { seen: (x: number) => x } }, (other) => expect(other.eval(sums())).rejects.toThrow(/sums is in use/))
      await host.stop({ timeout: 0 })
      await running
    })
  })

  it("refuses a graph that can't take the state, and names the node", async () => {
    await crashing(sums(), (end) => ({ seen: until(60, [], end) }))
    const other = sums().replace("(range 1 101)", "(range 1 102)")
    const more = sums().replace(":initial 0", ":initial 7")
    const mapped = sums()
      .replace("(call :stream.map", "(call :stream.filter (call :stream.map")
      .replace("(seen x))})", "(seen x))}) {:predicate pos?})")
    await withHost({ bindings: { seen: (x: number) => x } }, async (host) => {
      await expect(host.eval(other)).rejects.toThrow(/of its node from-collection .* is another/)
      await expect(host.eval(more)).rejects.toThrow(/:initial of its node reduce .* is another/)
      await expect(host.eval(mapped)).rejects.toThrow(/node (filter|reduce)/)
      // Refused, nothing is lost.
      expect(await host.eval(sums())).toBe(5050)
    })
  })

  it("lets the functions of a stream change", async () => {
    await crashing(sums(), (end) => ({ seen: until(60, [], end) }))
    const changed = sums().replace("(fn [x] (seen x))", "(fn [x] (+ 1000 (seen x)))")
    const sum = await withHost({ bindings: { seen: (x: number) => x } }, (host) => host.eval(changed))
    expect(sum).toBeGreaterThan(5050)
  })

  it("refuses two in one pipeline", async () => {
    await withHost({}, (host) =>
      expect(
        host.eval(
          "(call :stream.with-checkpointing (call :stream.with-checkpointing [1] {}) {:on-complete (fn [] 1)}) (call :stream.await (call :stream.to-collection (call :stream.with-checkpointing (call :stream.with-checkpointing [1] {}) {})))"
        )
      ).rejects.toThrow(/with-checkpointing and with-checkpointing-2 stand in one pipeline/)
    )
  })

  it("keeps a stream without a name under the hash of its graph", async () => {
    const seen: Array<number> = []
    const unnamed = sums().replace(':stream-id "sums"', "")
    const bindings = { seen: (x: number) => (seen.push(x), x) }
    await withHost({ bindings }, (host) => host.eval(unnamed))
    await withHost({ bindings }, (host) => host.eval(unnamed))
    expect(seen).toHaveLength(100)
    await withHost({ bindings }, (host) => host.eval(unnamed.replace("101", "11")))
    expect(seen).toHaveLength(110)
  })

  it("counts and tells a checkpoint that can't be encoded, and goes on", async () => {
    const lines: Array<string> = []
    const program = `(call :stream.await (call :stream.reduce
      (call :stream.map (call :stream.with-checkpointing (range 1 51) {:stream-id "handles" :every-n-items 1 :checkpoint-interval 5}) {:transform (fn [x] (slow x))})
      {:initial nil :reducer (fn [_ x] (fn [] x)) :on-result (fn [f] (f))}))`
    const bindings = { slow: async (x: number) => (await new Promise((resolve) => setTimeout(resolve, 1)), x) }
    await withHost({ bindings, log: (line) => void lines.push(line) }, (host) => host.run(program))
    expect(lines.join("\n")).toMatch(/Checkpoint \d+ of the stream handles failed: the state of .* can't be saved/)
  })

  it("saves and stops when it is drained, so that a second run repeats nothing", async () => {
    const first: Array<number> = []
    const second: Array<number> = []
    await withHost(
      {
        bindings: {
          seen: async (x: number) => (first.push(x), x === 40 && crash(), await new Promise((resolve) => setImmediate(resolve)), x)
        }
      },
      async (host) => {
        const running = host.run(sums()).catch(() => {})
        await crashed
        await host.stop({ timeout: 10_000 })
        await running
      }
    )
    expect(await withHost({ bindings: { seen: (x: number) => (second.push(x), x) } }, (host) => host.eval(sums()))).toBe(5050)
    expect([...first, ...second]).toEqual(Array.from({ length: 100 }, (_, index) => index + 1))
    expect(first.length).toBeLessThan(100)
  })

  it("gives a sink without a position nothing twice when it is drained in the middle of what a source has read", async () => {
    writeFileSync(join(root, "many.txt"), Array.from({ length: 20_000 }, (_, index) => `${index}\n`).join(""))
    const program = `
      (call :stream.for-each
        (call :stream.distinct (call :stream.with-checkpointing (call :stream.file.read "many.txt" {:format :lines}) {:stream-id "many" :checkpoint-interval 60000}))
        {:callback (fn [line] (seen line))})`
    const seen: Array<string> = []
    const end = 12_345
    await withHost({ bindings: { seen: (line: string) => void (seen.push(line), seen.length === end && crash()) } }, async (host) => {
      const running = host.run(program).catch(() => {})
      await crashed
      await host.drain()
      await running
    })
    expect(seen.length).toBeLessThan(20_000)
    await withHost({ bindings: { seen: (line: string) => void seen.push(line) } }, (host) => host.run(program))
    expect(seen).toEqual(Array.from({ length: 20_000 }, (_, index) => String(index)))
  })

  it("writes each item into a file once, through a crash", async () => {
    writeFileSync(join(root, "in.txt"), Array.from({ length: 200 }, (_, index) => `${index}\n`).join(""))
    const copy = (extra = "") => `
      (call :stream.await (call :stream.file.write "out.txt" {:format :lines ${extra}
        :data-source (call :stream.with-checkpointing
          (call :stream.map (call :stream.file.read "in.txt" {:format :lines}) {:transform (fn [l] (seen l)) :buffer-size 4})
          {:stream-id "copy" :every-n-items 5 :checkpoint-interval 2})}))`
    await crashing(copy(), (end) => ({
      seen: async (line: string) => (
        line === "120" && (end(), await new Promise(() => {})),
        await new Promise((resolve) => setImmediate(resolve)),
        line
      )
    }))
    expect(() => readFileSync(join(root, "out.txt"))).toThrow(/ENOENT/)
    const again: Array<string> = []
    await withHost({ bindings: { seen: (line: string) => (again.push(line), line) } }, (host) => host.run(copy()))
    expect(readFileSync(join(root, "out.txt"), "utf8")).toBe(readFileSync(join(root, "in.txt"), "utf8"))
    expect(again[0]).not.toBe("0")
  })
})

describe("resume-from-checkpoint", () => {
  const resume = '(call :stream.await (call :stream.resume-from-checkpoint {:stream-id "sums" :on-resumed (fn [] (note "resumed"))}))'

  it("goes on in another host from what is kept of the stream, with its functions and what they captured", async () => {
    const program = `(def factor 2) (defn twice [x] (* factor (seen x))) ${sums().replace("(fn [x] (seen x))", "twice")}`
    await crashing(program, (end) => ({ seen: until(60, [], end) }))
    const notes: Array<unknown> = []
    const sum = await withHost({ bindings: { seen: (x: number) => x, note: (text: string) => void notes.push(text) } }, (host) =>
      host.eval(resume)
    )
    expect(sum).toBe(10_100)
    expect(notes).toEqual(["resumed"])
  })

  it("does not know a stream that is not in the store", () =>
    withHost({ bindings: { note: () => {} } }, (host) => expect(host.eval(resume)).rejects.toThrow(/stream sums is not there/)))

  it("refuses a host that does not bind what the stream uses", async () => {
    await crashing(sums(), (end) => ({ seen: until(60, [], end) }))
    await withHost({ bindings: { note: () => {} } }, (host) =>
      expect(host.eval(resume)).rejects.toThrow(/node map, it uses seen, which this host does not bind/)
    )
  })

  it("answers with the handle of a stream that runs already", () =>
    withHost({ bindings: { seen: until(50, [], () => crash()) } }, async (host) => {
      const running = host.run(sums()).catch(() => {})
      await crashed
      const state = await host.eval('(:state (call :stream.status (call :stream.resume-from-checkpoint {:stream-id "sums"})))')
      expect(String(state)).toContain("running")
      await host.stop({ timeout: 0 })
      await running
    }))

  it("checks what the stream touches against the policy of the host that resumes it", async () => {
    writeFileSync(join(root, "in.txt"), "1\n2\n3\n")
    await withHost({}, (host) =>
      host.run(
        '(call :stream.file.write "sums.txt" {:format :lines :data-source (call :stream.with-checkpointing (call :stream.file.read "in.txt" {:format :lines}) {:stream-id "sums"})})'
      )
    )
    await withHost({ policy: { read: [root] }, bindings: { note: () => {} } }, (host) =>
      expect(host.eval(resume)).rejects.toThrow(/stream.file.write needs :fs.write/)
    )
  })

  it("names an option that it does not know", () =>
    withHost({}, (host) =>
      expect(host.eval('(call :stream.resume-from-checkpoint {:stream "sums"})')).rejects.toThrow(/:stream.*stream-id/)
    ))
})

describe("a service with checkpoints", () => {
  it("goes on from the last checkpoint in its next life", async () => {
    const seen: Array<number> = []
    let hasFailed = false
    const bindings = {
      seen: async (x: number) => {
        seen.push(x)
        await new Promise((resolve) => setTimeout(resolve, 1))
        if (x === 50 && !hasFailed && seen.length > 40) {
          hasFailed = true
          throw new Error("once")
        }
        return x
      }
    }
    await withHost({ bindings }, async (host) => {
      const service = await host.spawn(sums(), { name: "sums", restart: "transient" })
      expect(await service.result).toBe(5050)
    })
    expect(hasFailed).toBe(true)
  })
})
