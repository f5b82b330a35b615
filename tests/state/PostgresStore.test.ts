import { storeContract } from "../contracts/store.ts"
import { dropSchemas, freshSchema, postgresProblem, postgresUrl } from "./servers.ts"

const schema = freshSchema()
let places = 0
storeContract({
  name: "postgres",
  isShared: true,
  freshUrl: () => `${postgresUrl}?schema=${schema}_${++places}`,
  cleanUp: () => dropSchemas(schema),
  unavailable: await postgresProblem()
})
