-- Owners of the stand-in for a provider (provider.mjs). Their first tokens are over: each is refreshed as soon as a node is master.
USE token_service;

INSERT INTO tsxwho (ownerid, tokenurl, defaultconnectionresettime, isvalid, retrymax, retrydelay) VALUES
  ('gateway-1', 'http://provider:8080/token', 4000, 1, 100, 2000),
  ('gateway-2', 'http://provider:8080/token', 4000, 1, 100, 2000),
  ('gateway-3', 'http://provider:8080/token', 4000, 1, 100, 2000);

INSERT INTO tsttoken (tsxwhodid, tokenauth, tokenvalidity, accesstoken, refreshtoken, isvalid)
  SELECT tsxwhodid, TO_BASE64('client-1:laptop-only'), 1, 'none yet', CONCAT('first-1-', ownerid), 1 FROM tsxwho;

-- The third one has a second token, of another client: one of the two is always in the pool.
INSERT INTO tsttoken (tsxwhodid, tokenauth, tokenvalidity, accesstoken, refreshtoken, isvalid)
  SELECT tsxwhodid, TO_BASE64('client-2:laptop-only'), 1, 'none yet', CONCAT('first-2-', ownerid), 1 FROM tsxwho WHERE ownerid = 'gateway-3';
