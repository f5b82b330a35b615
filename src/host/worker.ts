import { createWorkerHandler } from "../scheduler/index.ts"

/**
 * What each thread of the host's worker pool runs. It grants nothing: no capability, no symbol of the host, and the
 * functions that come here are pure.
 */
export default createWorkerHandler({
  compileRtfs: async ({ captured, source }, limits) => {
    // Loaded with the first RTFS function: a thread that runs exports of modules starts without the compiler.
    const { createEvaluator } = await import("../rtfs/index.ts")
    const evaluator = createEvaluator(
      {
        globals: new Map(Object.entries(captured)),
        call: (id) => {
          throw new Error(
            `A function in a worker can't call ${id}: move the call into a stage of its own, which stays on the host's thread.`
          )
        }
      },
      limits as Parameters<typeof createEvaluator>[1]
    )
    return evaluator.evaluateNow(source, { file: "worker" }) as Awaited<
      ReturnType<Parameters<typeof createWorkerHandler>[0]["compileRtfs"]>
    >
  }
})
