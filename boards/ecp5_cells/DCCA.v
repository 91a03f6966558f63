// A clock's way into the chip's clock network.
module DCCA (input CLKI, output CLKO);
    assign CLKO = CLKI;
endmodule
