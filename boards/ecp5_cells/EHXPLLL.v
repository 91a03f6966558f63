// A clock generator, for designs whose logic runs on one of its outputs: simulated time counts
// cycles of that clock, whatever its frequency, so every output is the clock that comes in, locked.
module EHXPLLL (input CLKI, CLKFB, output CLKOP, CLKOS, CLKOS2, CLKOS3, LOCK);
    assign {CLKOP, CLKOS, CLKOS2, CLKOS3} = {4{CLKI}};
    assign LOCK = 1'b1;
endmodule
