import * as Effect from "effect/Effect"
import { TestClock } from "effect/testing"
import { describe, expect, it } from "vitest"
import { keyword } from "rtfs-streams"
import { HostCore } from "../../../src/host/HostCore.ts"
import { pass, Pushed, settle } from "../../capabilities/timedHost.ts"

/** A host on virtual time with a source to push into, and one program that holds its stream. */
const withStream = (
  options: string,
  use: (given: { source: Pushed<number>; call: (text: string) => Effect.Effect<any>; core: HostCore }) => Effect.Effect<void, unknown>
) =>
  Effect.runPromise(
    Effect.scoped(
      Effect.gen(function* () {
        const core = yield* HostCore.make({})
        const source = new Pushed<number>()
        core.market.access.register({ id: "a:b", type: "source", open: () => source })
        const session = core.session({})
        const call = (text: string) => Effect.promise(async () => (await session.eval(text)).value as any)
        yield* call(`(def h (call :marketplace.stream.start {:id "a:b" ${options}}))`)
        yield* settle
        yield* use({ source, call, core })
        yield* Effect.promise(() => session.close())
      })
    ).pipe(Effect.provide(TestClock.layer()))
  )

const next = (options = "") => `(call :marketplace.stream.next {:handle h :timeout-ms 0 ${options}})`

describe("a consumer that leaves", () => {
  it("gets what it missed with its cursor", () =>
    withStream("", ({ call, source }) =>
      Effect.gen(function* () {
        source.push(1, 2, 3)
        yield* settle
        expect(yield* call(next(":max-items 2"))).toMatchObject({ items: [1, 2], cursor: 2 })
        expect(yield* call("(call :marketplace.stream.detach {:handle h})")).toBe(0)
        source.push(4, 5)
        yield* settle
        expect(yield* call(next(":max-items 9 :cursor 2"))).toMatchObject({ items: [3, 4, 5], cursor: 5 })
      })
    ))

  it("gets again what it had not acknowledged, where it comes without a cursor", () =>
    withStream("", ({ call, source }) =>
      Effect.gen(function* () {
        source.push(1, 2, 3)
        yield* settle
        yield* call(next())
        yield* call(next())
        expect(yield* call("(call :marketplace.stream.detach {:handle h})")).toBe(1)
        expect(yield* call(next(":max-items 9"))).toMatchObject({ items: [2, 3] })
      })
    ))

  it("is told how many items it missed for good, and goes on with the oldest that is kept", () =>
    withStream(":replay-items 3 :buffer-size 2", ({ call, source }) =>
      Effect.gen(function* () {
        source.push(1)
        yield* settle
        yield* call(next())
        yield* call("(call :marketplace.stream.detach {:handle h})")
        source.push(2, 3, 4, 5, 6, 7)
        yield* settle
        expect(yield* call(next(":cursor 1"))).toEqual({ status: keyword("gap"), missed: 3, cursor: 4 })
        expect(yield* call(next(":max-items 9"))).toMatchObject({ items: [5, 6, 7], cursor: 7 })
      })
    ))

  it("finds items kept only for so long", () =>
    withStream(":replay-ms 1000", ({ call, source }) =>
      Effect.gen(function* () {
        source.push(1)
        yield* settle
        yield* call(next())
        yield* call("(call :marketplace.stream.detach {:handle h})")
        source.push(2)
        yield* pass(1001)
        source.push(3)
        yield* settle
        expect(yield* call(next(":cursor 1"))).toMatchObject({ status: keyword("gap"), missed: 1 })
        expect(yield* call(next())).toMatchObject({ item: 3 })
      })
    ))

  it("does not end the stream, and holds nobody else up", () =>
    withStream(":buffer-size 2 :replay-items 2", ({ call, source }) =>
      Effect.gen(function* () {
        source.push(1, 2, 3, 4)
        yield* settle
        expect(yield* call("(call :marketplace.stream.profile {:handle h :metrics [:buffer]})")).toMatchObject({ buffer: { kept: 2 } })
        yield* call(next(':group "slow"'))
        yield* call(next(':group "quick" :max-items 9'))
        expect(yield* call(next(':group "quick" :max-items 9'))).toMatchObject({ status: keyword("timeout") })
        yield* call('(call :marketplace.stream.detach {:handle h :group "slow"})')
        yield* settle
        expect(yield* call(next(':group "quick" :max-items 9'))).toMatchObject({ items: [3, 4] })
      })
    ))

  it("is final where it cancels", () =>
    withStream("", ({ call, source }) =>
      Effect.gen(function* () {
        source.push(1)
        yield* settle
        yield* call("(call :stream.cancel h)")
        expect(yield* call(next())).toMatchObject({ item: 1 })
        expect(yield* call(next())).toMatchObject({ status: keyword("error") })
        expect(yield* call(next())).toMatchObject({ status: keyword("error") })
      })
    ))
})

describe("next, in time", () => {
  it("waits as long as it says, and loses nothing that comes later", () =>
    withStream("", ({ call, source }) =>
      Effect.gen(function* () {
        const asked = yield* Effect.forkChild(call("(call :marketplace.stream.next {:handle h :timeout_ms 500})"))
        yield* pass(499)
        expect(asked.pollUnsafe()).toBeUndefined()
        yield* pass(1)
        expect(asked.pollUnsafe()).toMatchObject({ value: { status: keyword("timeout") } })
        source.push(1)
        yield* settle
        expect(yield* call(next())).toMatchObject({ item: 1 })
      })
    ))
})

describe("start with a key", () => {
  it("gives the same handle again, in another program too", () =>
    withStream(':key "k" :config {:x 1}', ({ call, core, source }) =>
      Effect.gen(function* () {
        source.push(1, 2)
        yield* settle
        expect(yield* call(next())).toMatchObject({ item: 1 })
        const again = (config: string) =>
          Effect.promise(() =>
            core
              .eval(
                `(:item (call :marketplace.stream.next {:handle (call :marketplace.stream.start {:id "a:b" :key "k" :config ${config}})}))`,
                {}
              )
              .catch((error: Error) => error.message)
          )
        expect(yield* again("{:x 1}")).toBe(2)
        expect(yield* again("{:x 2}")).toContain("under which a:b runs with another config")
      })
    ))
})
