// Prisma with its adapter for node-postgres, all from the URL.
import { PrismaPg } from "@prisma/adapter-pg";
import prisma from "./prisma/client.js";
import { hold, query, url } from "./hold.mjs";

const db = new prisma.PrismaClient({ adapter: new PrismaPg({ connectionString: url }) });
await hold(() => db.$queryRawUnsafe(query));
