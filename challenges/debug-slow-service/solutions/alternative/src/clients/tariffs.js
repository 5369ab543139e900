import { HttpClient } from './http.js';

/** The tariff document of the carriers: a large JSON text that the configuration service hands out. */
export class TariffClient {
  constructor(origin) {
    this.http = new HttpClient('config', origin, { connections: 2 });
  }

  document() {
    return this.http.getText('/documents/tariffs');
  }

  close() {
    return this.http.close();
  }
}
