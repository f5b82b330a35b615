import { afterEach, describe, expect, it } from "vitest"
import { StreamHost } from "rtfs-streams"

const hosts: Array<StreamHost> = []
afterEach(async () => {
  await Promise.all(hosts.splice(0).map((host) => host.stop({ timeout: 1000 })))
})

const run = async (source: string, bindings: Readonly<Record<string, unknown>> = {}) => {
  const printed: Array<string> = []
  const notes: Array<unknown> = []
  const host = await StreamHost.start({
    bindings: { ...bindings, note: (value: unknown) => void notes.push(value) },
    print: (line) => void printed.push(line),
    policy: { all: true }
  })
  hosts.push(host)
  const report = (await host.run(source).catch((error: Error) => error)) as unknown as {
    readonly value?: unknown
    readonly message: string
    readonly streams: ReadonlyArray<unknown>
  }
  return { printed, notes, report }
}

const user =
  "{:type :map :required [:id :name] :properties {:id {:type :integer} :name {:type :string} :tags {:type :vector :items {:type :keyword}}}}"

describe("stream.validate-types", () => {
  it("gives :on-invalid all errors of an item, each with its path, what was expected and what was got", async () => {
    const { printed, report } =
      await run(`(call :stream.validate-types [{:id 1 :name "a" :more true} {:id "x" :tags [:a 5]}] {:schema ${user}
      :on-valid (fn [item] (note (:id item)))
      :on-invalid (fn [errors item] (doseq [e errors] (call :ccos.io.println (str (:path e) " " (:expected e) " " (:actual e) " " (:got e)))))})`)
    expect(report).toMatchObject({ accepted: 2 })
    expect(printed).toEqual(['[:id] :integer :string "x"', "[:name] :string :nil nothing", "[:tags 1] :keyword :integer 5"])
  })

  it("takes a type expression, also in the short form, where a schema map is not taken for options", async () => {
    const { report } = await run(`[
      (call :stream.await (call :stream.to-collection {:source (stream.validate-types [1 "a" 3] :int)}))
      (call :stream.await (call :stream.to-collection {:source (stream.validate-types [1 {:a 1} {:a :b}] {:type :map :properties {:a {:type :integer}}})}))
      (call :stream.await (call :stream.to-collection {:source (stream.validate-types [{:a 1 :b 2} {:a 1}] {:schema [:map [:a :int]] :closed true})}))]`)
    expect(report.value).toEqual([[1, 3], [{ a: 1 }], [{ a: 1 }]])
  })

  it("starts nothing with :on-invalid alone", async () => {
    const { notes, report } = await run(
      `(do (call :stream.validate-types ["x"] {:schema :int :on-invalid (fn [errors item] (note item))}) 1)`
    )
    expect([report.value, notes, report.streams]).toEqual([1, [], []])
  })

  it("refuses a schema that can't be read when the call is made, and says where in it", async () => {
    const bad = "{:type :map :properties {:user {:type :map :properties {:age {:type :integr}}}}}"
    expect((await run(`(do (call :stream.validate-types [1] {:schema ${bad}}) 1)`)).report.message).toContain(
      "can't read its schema at :schema :properties :user :properties :age :type: Unknown type: integr. Did you mean integer?"
    )
    expect((await run(`(call :stream.validate-types [1] {:schema [:map [:a [:vectr :int]]]})`)).report.message).toContain(
      "at :schema :a: Unknown type: [:vectr :int]. Did you mean [:vector …]?"
    )
  })

  it("takes functions as refinements; one that throws, or waits, fails the item instead of calling it invalid", async () => {
    const call = (type: string) =>
      `(call :stream.validate-types [1 2 3] {:schema ${type} :on-valid note :on-invalid (fn [errors item] (note (map (fn [e] (:message e)) errors)))})`
    expect((await run(call("[:and :int odd?]"))).notes).toEqual([1, ["expected a value that odd? accepts, got 2"], 3])
    const throws = await run(call('(fn [x] (if (= x 2) (throw "no verdict") true))'))
    expect(throws.report).toMatchObject({ _tag: "ActorFailure", reason: "item", item: 2, capability: "stream.validate-types" })
    expect(throws.notes).toEqual([1])
    const waits = await run(call("later"), { later: async () => true })
    expect(waits.report.message).toContain("is asynchronous, but must say at once")
  })

  it("fails the item where :on-invalid throws", async () => {
    const { notes, report } = await run(
      `(call :stream.validate-types [1 "x" 3] {:schema :int :on-valid note :on-invalid (fn [errors item] (throw "stop"))})`
    )
    expect(report).toMatchObject({ _tag: "ActorFailure", reason: "item", item: 2 })
    expect(notes).toEqual([1])
  })
})

describe("stream.schema-evolution", () => {
  it("migrates with one function what does not satisfy the schema, and hands on what can't be", async () => {
    const { notes, report } = await run(`(call :stream.schema-evolution [{:first "a"} {:name "b"} {:nick "c"} 5]
      {:current-schema [:map [:first :string]]
       :migration-fn (fn [old] (if (map? old) {:first (:name old)} (throw "no map")))
       :on-migrated note
       :on-invalid (fn [errors item] (note (map (fn [e] (:message e)) errors)))})`)
    expect(report).toMatchObject({ accepted: 4 })
    expect(notes).toEqual([
      { first: "a" },
      { first: "b" },
      ["first: expected string, got nil"],
      [expect.stringContaining("expected an item that :migration-fn can migrate, got")]
    ])
  })

  it.each([
    ["", "needs :migration-fn, or :migrations"],
    [":migration-fn inc :migrations {1 inc}", "has both :migration-fn and :migrations"],
    [":migrations {1 inc 3 inc}", "has no migration from version 2"],
    [":migrations {1 inc} :current-version 3", "has :current-version 3, but its last migration goes from 1 to 2"],
    [":migrations {1 inc} :version-key :v :version-fn :v", "has both :version-key and :version-fn"],
    [":migration-fn inc :version-key :v", "has :version-key, which goes with :migrations"],
    [":migrations {}", "expects :migrations to be a map from a version"],
    [":migrations {:a inc}", "expects :migrations to be a map from a version"]
  ])("refuses {%s}", async (options, message) => {
    expect((await run(`(call :stream.schema-evolution [1] {:current-schema :int ${options}})`)).report.message).toContain(message)
  })

  it("makes an item invalid whose migration gives another version than :version-fn expects", async () => {
    const { notes } = await run(`(call :stream.schema-evolution [{:v 1} {:v 2}]
      {:current-schema :map :migrations {1 (fn [old] old)} :version-fn (fn [item] (:v item)) :on-migrated note :on-invalid (fn [errors item] (note (:message (first errors))))})`)
    expect(notes).toEqual([expect.stringContaining(":version-fn says version 1 and not 2"), { v: 2 }])
  })

  it("lets a spent budget fail the item: that is no fault of it", async () => {
    const { report } = await run(
      `(call :stream.schema-evolution [1] {:current-schema :string :migration-fn (fn [x] (loop [] (recur))) :on-migrated note})`
    )
    expect(report).toMatchObject({ _tag: "ActorFailure", reason: "item" })
  })
})
