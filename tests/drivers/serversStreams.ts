/** What is run while its server is killed: each adds up to a known set. */
export const scenarios = ["query", "insert", "queue", "store"] as const
export type Scenario = (typeof scenarios)[number]

/** One item in 200 fails each time, and one in 200 once. */
export const failsAlways = (id: number): boolean => id % 200 === 7
export const failsOnce = (id: number): boolean => id % 200 === 13
/** One row in 400 the table refuses, and one message in 400 is no JSON. */
export const refusedRow = (id: number): boolean => id % 400 === 21
export const brokenMessage = (id: number): boolean => id % 400 === 50

export const ids = (items: number, is: (id: number) => boolean): number =>
  Array.from({ length: items }, (_, id) => id).filter((id) => is(id)).length

export const queueName = "rtfs-streams-work"
export const brokenQueue = "rtfs-streams-broken"
export const deadQueue = "dead"

export interface ChildOptions {
  readonly scenario: Scenario
  readonly folder: string
  readonly program: string
  /** Of the server. */
  readonly url: string
  /** Where it is the server that is to be killed; otherwise a file of the folder. */
  readonly store: string | undefined
  /** So that a stream is long enough to be hit. */
  readonly itemsPerPause: number
}

export type FromChild =
  | { readonly type: "progress"; readonly worked: number }
  | {
      readonly type: "looked"
      readonly waitsFor: ReadonlyArray<string>
      readonly logged: ReadonlyArray<string>
      readonly beats: number
      readonly rss: number
    }
  | { readonly type: "ended"; readonly value: unknown; readonly failure: string | undefined }

/** With a small mailbox, so that a barrier does not wait behind thousands of items. */
const failing = `:buffer-size 200 :max-retries 1 :retry-backoff 1 :on-failure :dead-letter :dead-letter-queue "${deadQueue}"`

const numbers = (items: number) => `(call :stream.generate {:initial-state 0 :generator (fn [n] (if (< n ${items}) [n (inc n)] :done))})`

const checkpointed = (stream: string, id: string) =>
  `(call :stream.with-checkpointing ${stream} {:stream-id "${id}" :checkpoint-interval 50})`

const written = (stream: string, folder: string) =>
  `(call :stream.await (call :stream.file.write "${folder}/out.txt" {:data-source (call :stream.map ${stream} {:transform work ${failing}}) :format :lines}))`

export const programOf = (scenario: Scenario, items: number, folder: string): string => {
  switch (scenario) {
    case "query":
      return written(
        checkpointed(
          `(call :stream.db.query "SELECT id, pad FROM source" {:connection :db-conn :order-key "id" :fetch-size 200})`,
          "query"
        ),
        folder
      )
    case "insert":
      return `
        (call :stream.await
          (call :stream.db.bulk-insert "target"
            {:connection :db-conn :batch-size 200 :on-batch-complete committed :on-failure :dead-letter :dead-letter-queue "${deadQueue}"
             :data-stream (call :stream.map ${checkpointed(numbers(items), "insert")} {:transform work ${failing}})}))`
    case "store":
      return written(checkpointed(numbers(items), "store"), folder)
    case "queue":
      return `
        (call :stream.queue.produce "${queueName}"
          {:batch-size 20 :format :text
           :data-stream (call :stream.map ${checkpointed(numbers(items), "produce")} {:transform text-of})})
        (call :stream.for-each
          (call :stream.map
            (call :stream.queue.consume "${queueName}"
              {:format :json :batch-size 20 :max-in-flight 1000 :visibility-timeout 2 :max-receives 100000
               :dead-letter-queue "${brokenQueue}" :on-ack acknowledged})
            {:transform work ${failing}})
          {:callback note})`
  }
}
