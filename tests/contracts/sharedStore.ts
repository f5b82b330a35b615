import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { afterAll, afterEach, describe, expect, it } from "vitest"
import { openStateStore, type StateStore } from "../../src/state/index.ts"
import { OwnerProcess } from "../state/ownerProcess.ts"
import type { StoreUnderTest } from "./store.ts"

/** Longer than any test: nobody is replaced because of it. */
const never = { renewMs: 1_000_000, expiryMs: 1_000_000 }
/** So short that a suspended owner is replaced soon. Nothing here asserts how soon. */
const short = { renewMs: 50, expiryMs: 300 }
/** A process on a busy machine may be late by a second. */
const patient = { renewMs: 100, expiryMs: 2500 }

/** `STORE_ROUNDS=50 npx vitest run tests/state` looks longer. */
const rounds = Number(process.env["STORE_ROUNDS"] ?? 5)

/** What a store promises to several processes that are killed and suspended. */
export const sharedStoreContract = ({ cleanUp, freshUrl, name, unavailable }: StoreUnderTest): void => {
  describe.skipIf(unavailable !== undefined)(`the store ${name}, shared by processes`, () => {
    const owners: Array<OwnerProcess> = []
    const scopes: Array<Scope.Closeable> = []
    afterEach(async () => {
      await Promise.all(owners.splice(0).map((owner) => owner.kill()))
      for (const scope of scopes.splice(0)) await Effect.runPromise(Scope.close(scope, Exit.void))
    })
    if (cleanUp !== undefined) afterAll(cleanUp)

    const inScope = <A, E>(effect: Effect.Effect<A, E, Scope.Scope>): Promise<A> => {
      const scope = Scope.makeUnsafe()
      scopes.push(scope)
      return Effect.runPromise(Scope.provide(effect, scope))
    }
    const start = async (url: string, lease: typeof never) => {
      const started = await OwnerProcess.start(url, "orders", lease)
      owners.push(started.owner)
      return started
    }
    /** Takes it as soon as that is possible; the test's time limit is the only one. */
    const takeOver = async (store: StateStore) => {
      for (;;) {
        try {
          return await inScope(store.own("orders"))
        } catch (error) {
          expect(error).toMatchObject({ _tag: "StreamInUse" })
          await new Promise((resolve) => setTimeout(resolve, 20))
        }
      }
    }
    const idsOf = async (store: StateStore) => (await Effect.runPromise(store.checkpoints("orders"))).map(({ id }) => id)

    it("P13: refuses a second process, names the first, and lets it in once that one was killed, whatever the lease", async () => {
      const url = freshUrl()
      const { owner, said } = await start(url, never)
      expect(said).toMatch(/^owner \d+$/)
      expect(await owner.ask("commit 1")).toBe("done")
      expect((await start(url, never)).said).toMatch(new RegExp(`^StreamInUse .*process ${owner.child.pid} on `))
      await owner.kill()
      const store = await inScope(openStateStore(url, { lease: never }))
      const next = await takeOver(store)
      expect(next.epoch).toBeGreaterThan(Number(said.split(" ")[1]))
      await Effect.runPromise(next.commit({ id: 2, time: 0, bytes: new Uint8Array() }))
      expect(await idsOf(store)).toEqual([2, 1])
    })

    it("does not replace an owner that is alive, however long it takes", async () => {
      const url = freshUrl()
      const { owner } = await start(url, patient)
      const store = await inScope(openStateStore(url, { lease: patient }))
      const until = performance.now() + 1.2 * patient.expiryMs
      while (performance.now() < until) {
        await expect(inScope(store.own("orders"))).rejects.toMatchObject({ _tag: "StreamInUse" })
        await new Promise((resolve) => setTimeout(resolve, 50))
      }
      expect(await owner.ask("commit 1")).toBe("done")
    })

    it(
      `P13, CP-8: a suspended owner is replaced after its lease, and writes nothing when it wakes (${rounds} rounds)`,
      { timeout: 30_000 + rounds * 3000 },
      async () => {
        const url = freshUrl()
        const store = await inScope(openStateStore(url, { lease: short }))
        for (let round = 0, id = 1; round < rounds; round++) {
          const { owner, said } = await start(url, short)
          expect(said).toMatch(/^owner/)
          expect(await owner.ask(`commit ${id}`)).toBe("done")
          owner.signal("SIGSTOP")
          // It may wake with a write that it was about to send.
          owner.send(`commit ${id + 100}`)
          const next = await takeOver(store)
          owner.signal("SIGCONT")
          expect(await owner.answer()).toBe("StreamFenced")
          for (const write of [`commit ${id + 101}`, "fact", "clear"]) expect(await owner.ask(write)).toBe("StreamFenced")
          expect((await idsOf(store))[0]).toBe(id)
          expect((await Effect.runPromise(next.facts.all)).size).toBe(0)
          await Effect.runPromise(next.commit({ id: id + 1, time: 0, bytes: new Uint8Array() }))
          expect((await idsOf(store)).slice(0, 2)).toEqual([id + 1, id])
          id += 2
          await owner.kill()
          for (const scope of scopes.splice(1)) await Effect.runPromise(Scope.close(scope, Exit.void))
        }
      }
    )
  })
}
