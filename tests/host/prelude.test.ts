import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, describe, expect, it } from "vitest"
import { type HostOptions, StreamHost } from "rtfs-streams"

const folder = mkdtempSync(join(tmpdir(), "rtfs-streams-prelude-"))
afterAll(() => rmSync(folder, { recursive: true }))

const evaluate = async (source: string, options: HostOptions = {}): Promise<unknown> => {
  await using host = await StreamHost.start(options)
  return await host.eval(source)
}

describe("the prelude", () => {
  it("logs beside the program's output", async () => {
    const logged: Array<string> = []
    const printed: Array<string> = []
    await evaluate('(log "a" {:b 1}) (println "c")', { log: (line) => logged.push(line), print: (line) => printed.push(line) })
    expect([logged, printed]).toEqual([["a {:b 1}"], ["c"]])
  })

  it("keeps maps, vectors and values under names, for one program", async () => {
    expect(await evaluate("(kv/assoc! :m :x 1) (kv/assoc! :m :y 2 :z 3) (kv/dissoc! :m :x)")).toEqual({ y: 2, z: 3 })
    expect(await evaluate("(kv/conj! :v 1) (kv/conj! :v 2 3)")).toEqual([1, 2, 3])
    expect(await evaluate('[(context/get :u) (context/get :u "d") (context/set :u 1) (context/get :u)]')).toEqual([null, "d", 1, 1])
    await expect(evaluate("(context/set :m 1) (kv/assoc! :m :x 1)")).rejects.toThrow("is no map")
    await expect(evaluate("(dotimes [i 10001] (context/set i i))")).rejects.toThrow("10000 names")
  })

  it("tells the time, and sleeps by the host's clock", async () => {
    const before = Date.now()
    expect(await evaluate("(current-time-millis)")).toBeGreaterThanOrEqual(before)
    expect(await evaluate("(thread/sleep 1)")).toBe(null)
    await expect(evaluate("(thread/sleep -1)")).rejects.toThrow("needs milliseconds from 0")
  })

  it("looks at files that may be read, and says nothing of others", async () => {
    writeFileSync(join(folder, "here"), "")
    const policy = { read: [folder] }
    expect(await evaluate(`(map file-exists? ["${folder}/here" "${folder}/gone" "${folder}"])`, { policy })).toEqual([true, false, true])
    await expect(evaluate('(file-exists? "/etc/hostname")', { policy })).rejects.toThrow("Not permitted")
  })

  it("shows the environment to programs that may do everything only", async () => {
    await expect(evaluate('(get-env "PATH")', { policy: { read: [folder] } })).rejects.toThrow(":env")
    expect(await evaluate('(get-env "PATH")', { policy: { all: true } })).toBe(process.env["PATH"])
  })

  it("lets what branches wait for overlap, and keeps their order", async () => {
    let running = 0
    let most = 0
    const slow = async (value: unknown) => {
      most = Math.max(most, ++running)
      await new Promise((resolve) => setImmediate(resolve))
      running--
      return value
    }
    expect(await evaluate("[(parallel [a (slow 1)] [b (slow 2)]) (step-parallel (slow 3) (slow 4))]", { bindings: { slow } })).toEqual([{ a: 1, b: 2 }, [3, 4]])
    expect(most).toBe(2)
  })
})
