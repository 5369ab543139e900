import cluster from 'node:cluster';
import { pino } from 'pino';
import { buildApp } from './app.js';
import { readConfig } from './config.js';
import { createServices } from './container.js';

const WORKERS = 3;
const logger = pino({ level: 'warn' });

if (cluster.isPrimary) {
  for (let i = 0; i < WORKERS; i++) {
    cluster.fork();
  }
  cluster.on('exit', () => cluster.fork());
} else {
  try {
    const config = readConfig(process.env);
    const services = await createServices(config, logger);
    const app = await buildApp(services, logger);
    await app.listen({ port: config.port, host: '0.0.0.0' });
  } catch (error) {
    logger.fatal(error, 'could not start');
    process.exitCode = 1;
  }
}
