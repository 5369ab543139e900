import { pino } from 'pino';
import { buildApp } from './app.js';
import { readConfig } from './config.js';
import { createServices } from './container.js';

const logger = pino({ level: 'warn' });

try {
  const config = readConfig(process.env);
  const services = await createServices(config, logger);
  const app = await buildApp(services, logger);
  const stop = async () => {
    await app.close();
    await services.close();
    process.exit(0);
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
  await app.listen({ port: config.port, host: '0.0.0.0' });
} catch (error) {
  logger.fatal(error, 'could not start');
  process.exitCode = 1;
}
