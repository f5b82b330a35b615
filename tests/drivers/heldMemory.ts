// How much a process holds once all is collected that can be. The kernel's number says little of it: V8 keeps what it has
// collected for a while, and a busy process more of it than an idle one.
import { setTimeout as sleep } from "node:timers/promises"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"

/** Megabytes of the heap and of what hangs on it outside, with one decimal. */
export const heldMegabytes = async (): Promise<number> => {
  setFlagsFromString("--expose-gc")
  const collect = runInNewContext("gc") as (options: object) => void
  let held = Infinity
  for (let times = 0; times < mostCollections; times++) {
    // A plain collection would leave the code that was compiled for streams that are gone: it goes only once it was unused for
    // some collections.
    collect({ type: "major", execution: "sync", flavor: "last-resort" })
    const { external, heapUsed } = process.memoryUsage()
    const megabytes = (heapUsed + external) / 1e6
    if (megabytes > held - settled) break
    held = megabytes
    // For what finalizers and closing sockets let go of.
    await sleep(100)
  }
  return Math.round(held * 10) / 10
}

/** Megabytes: a collection that frees less than this has nothing more to find. */
const settled = 0.2
const mostCollections = 20
