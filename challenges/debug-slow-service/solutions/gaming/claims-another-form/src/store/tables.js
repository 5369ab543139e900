import { Table } from './table.js';

export const createTables = () => ({
  customers: new Table('customers', { indexes: ['email'] }),
  orders: new Table('orders', { indexes: ['customerId'] }),
  products: new Table('products', { indexes: ['category'] }),
  shipments: new Table('shipments', { indexes: ['orderId', 'tracking'] }),
});
