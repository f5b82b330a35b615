import { sharedStoreContract } from "../contracts/sharedStore.ts"
import { storeContract, type StoreUnderTest } from "../contracts/store.ts"
import { dropSchemas, freshSchema, postgresProblem, postgresUrl } from "./servers.ts"

const schema = freshSchema()
let places = 0
const store: StoreUnderTest = {
  name: "postgres",
  isShared: true,
  freshUrl: () => `${postgresUrl}?schema=${schema}_${++places}`,
  cleanUp: () => dropSchemas(schema),
  unavailable: await postgresProblem()
}

storeContract(store)
sharedStoreContract(store)
