import { describe, expect, it } from "vitest"
import { createEvaluator, expand, print, RtfsError, toJson, toText } from "../../src/rtfs/index.ts"
import { HostObject } from "../../src/serialization/index.ts"
import { outcome, recordingHost } from "./evaluation.ts"

const inherited = [...Object.getOwnPropertyNames(Object.prototype), ...Object.getOwnPropertyNames(Function.prototype), "prototype"]

class Secret extends HostObject {
  readonly password = "hunter2"

  get label(): string {
    return "secret"
  }

  toJSON(): unknown {
    return { resource: "secret" }
  }
}

describe("escape from the language", () => {
  it.each(inherited)("the name %s means nothing", async (name) => {
    // As keyword of a map, a vector, a string, a function; as symbol; as capability; as string key and path.
    // (apply and call mean something in RTFS.)
    if (/^[a-z_]+$/i.test(name) && name !== "apply" && name !== "call") {
      expect(await outcome(`(:${name} {})`)).toBe("nil")
      expect(await outcome(`(:${name} [])`)).toBe("!type-error")
      expect(await outcome(`(:${name} "")`)).toBe("!type-error")
      expect(await outcome(`(:${name} inc)`)).toBe("!type-error")
      expect(await outcome(name)).toBe("!undefined-symbol")
      expect(await outcome(`(${name})`)).toBe("!undefined-symbol")
      expect(await outcome(`(.${name} {} 1)`)).toBe("!undefined-symbol")
      expect(await outcome(`(let [{:keys [${name}]} {}] ${name})`)).toBe("nil")
      expect(await outcome(`(match {} {:${name} x} x _ :none)`)).toBe(":none")
      expect(await outcome(`(let [${name} 5] (+ ${name} 1))`)).toBe("6")
      expect(await outcome(`(defn ${name} [x] x) (${name} 5)`)).toBe("5")
    }
    expect(
      await outcome(
        `[(get {} "${name}") (get-in {} ["${name}" "${name}"]) (contains? {} "${name}") (find {} "${name}") (dissoc {} "${name}") (select-keys {} ["${name}"])]`
      )
    ).toBe("[nil nil false nil {} {}]")
    expect(await outcome(`(get inc "${name}")`)).toBe("!type-error")
    expect(await outcome(`(get "text" "${name}")`)).toBe("!type-error")
    expect(await outcome(`(get-in [inc "text"] [0 "${name}"])`)).toBe("nil")
    expect(await outcome(`(count (assoc {} "${name}" 1))`)).toBe("1")
    expect(await outcome(`(get (assoc {} "${name}" 1) "${name}")`)).toBe("1")
    expect(await outcome(`(get {"${name}" 7} "${name}")`)).toBe("7")
    expect(await outcome(`(vals (merge {"${name}" 7} {"${name}" 8}))`)).toBe("[8]")
    expect(await outcome(`(get (json/parse "{\\"${name}\\": {\\"polluted\\": 1}}") "${name}")`)).toBe("{:polluted 1}")
    expect(await outcome(`(get (group-by (fn [x] "${name}") [1]) "${name}")`)).toBe("[1]")
    expect(await outcome(`(get (frequencies ["${name}"]) "${name}")`)).toBe("1")
    const { host, calls } = recordingHost()
    await createEvaluator(host).evaluate(`(call "${name}")`)
    expect(calls).toEqual([name])
    expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined()
  })

  it("names of programs never become names of the generated text", async () => {
    for (const name of [
      "x",
      "s",
      "g",
      "t1",
      "v0",
      "k0",
      "re1",
      "rm1",
      "p",
      "undefined",
      "arguments",
      "await",
      "yield",
      "let$",
      "new",
      "class",
      "var",
      "null",
      "NaN",
      "import",
      "$",
      "_x"
    ]) {
      expect(await outcome(`(let [${name} 1 f (fn [${name}] (+ ${name} 1))] (f ${name}))`), name).toBe("2")
      expect(await outcome(`(def ${name} 41) (inc ${name})`), name).toBe("42")
      expect(
        await outcome(
          `(let [${name} 1] (try (throw 1) (catch ${name} (loop [${name} ${name}] (if (> ${name} 3) ${name} (recur (inc ${name})))))))`
        ),
        name
      ).toBe("4")
    }
  })

  it("literals cannot leave their place in the generated text", async () => {
    for (const text of [
      '\\"+process.exit()+\\"',
      "`${process.exit()}`",
      "\\n//",
      "*/ process.exit() /*",
      "\u2028",
      "\u2029",
      "\ud800",
      "</script>",
      "'"
    ]) {
      expect(await outcome(`(count [(:k {:k "${text}"}) {"${text}" 1} (get {"${text}" 1} "${text}")])`), text).toBe("3")
      expect(await outcome(`(= "${text}" (:v {:v "${text}"}))`), text).toBe("true")
      expect(await outcome(`(re-find "${text.replaceAll(/[*$`{}().+]/g, "")}" "x")`)).toMatch(/^(nil|"|!invalid-argument)/)
    }
  })

  it("nothing that a program holds shows more than its label", async () => {
    const evaluator = createEvaluator(
      recordingHost({ secret: new Secret(), bytes: new Uint8Array(3), moment: new Date(0), native: () => "text of the host" }).host
    )
    const run = (source: string) => evaluator.evaluate(source).then(print, (error: unknown) => `!${(error as RtfsError).type}`)
    expect(await run("[(str secret) (str native) (str bytes) (type-name secret)]")).toBe(
      '["#<secret>" "#<function>" "#<bytes 3>" "resource"]'
    )
    for (const source of [
      "(:password secret)",
      "(get secret :password)",
      "(keys secret)",
      "(let [{:keys [password]} secret] password)",
      "(count secret)",
      "(json/stringify secret)",
      "(secret)",
      "(:length bytes)",
      "(get bytes 0)",
      "(:getTime moment)"
    ]) {
      expect(await run(source), source).toMatch(/^!(type-error|not-callable|json-error)$/)
    }
    expect(await run("(get-in secret [:password])")).toBe("nil")
    expect(await run("(merge {} (assoc {} :a secret))")).toBe("{:a #<secret>}")
  })

  it("errors of the host show their message, never properties or stack", async () => {
    const failing = () => {
      throw Object.assign(new Error("refused"), { token: "hunter2" })
    }
    const evaluator = createEvaluator(recordingHost({ failing }).host)
    const shown = await evaluator.evaluate(
      "(try (failing) (catch e [(str e) (:message e) (:token e) (:stack e) (:cause e) (get e :token) (json/stringify e) (contains? {} e)]))"
    )
    expect(toText(shown)).toBe(
      '["#<error: refused>" "refused" nil nil nil nil "{\\"type\\":\\":host-error\\",\\"message\\":\\"refused\\"}" false]'
    )
    expect(toJson(shown)).not.toContain("hunter2")
  })

  it("functions have no text, and this is nothing", async () => {
    const evaluator = createEvaluator({ call: (_, args) => args[0], globals: new Map() })
    const f = (await evaluator.evaluate("(fn [x] x)")) as (x: unknown) => unknown
    expect(f.name).toBe("")
    expect(await evaluator.evaluate('[(str (fn [secret] "hunter2")) (str println)]')).toEqual(["#<function>", "#<function>"])
    for (const source of ["this", "(this)", "globalThis", "(fn [] this)", "arguments", "self"]) {
      await expect(
        evaluator
          .evaluate(`(${source.replace(/^\(|\)$/g, "")})`)
          .then((value) => (typeof value === "function" ? (value as () => unknown)() : value))
      ).rejects.toThrow(/Undefined symbol/)
    }
  })

  it("expansion prints text that reads as text again", () => {
    expect(expand('(f "\\") (call :x) (\\"")')).toBe('(f "\\") (call :x) (\\"")')
  })

  it("a macro cannot reach the host", async () => {
    const { host, calls } = recordingHost({ danger: () => 1 })
    for (const source of [
      "(defmacro m [] (call :x)) (m)",
      "(defmacro m [] (println 1)) (m)",
      "(defmacro m [] (danger)) (m)",
      "(defn h [] (call :x)) (defmacro m [] (h)) (m)",
      "(defmacro m [] @name) (m)"
    ]) {
      await expect(createEvaluator(host).evaluate(source), source).rejects.toThrow(RtfsError)
    }
    expect(calls).toEqual([])
  })
})
