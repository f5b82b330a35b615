import { setImmediate } from "node:timers/promises"

/** How many lines the program writes. */
export const items = 240

/** A checkpointed stream of numbers into a file, with a checkpoint after every 30 of them. */
export const numbersProgram = (folder: string, options = ""): string => `
(call :stream.await
  (call :stream.file.write "${folder}/out.txt"
    {:data-source (call :stream.map
                    (call :stream.with-checkpointing
                      (call :stream.generate {:initial-state 0 :generator (fn [n] (if (< n ${items}) [n (inc n)] :done))})
                      {:stream-id "numbers" :every-n-items 30 :checkpoint-interval 60000 :on-checkpoint noted})
                    {:transform text-of})
     :format :lines ${options}}))`

export const numbersExpected = Array.from({ length: items }, (_, n) => `number ${n}\n`).join("")

/** What the program uses of its host. */
export const numbersBindings = {
  /** Lets checkpoints have their turn among the items. */
  "text-of": async (n: unknown): Promise<string> => {
    if (Number(n) % 10 === 0) await setImmediate()
    return `number ${String(n)}`
  },
  noted: (): void => {}
}
