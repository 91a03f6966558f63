// Sixteen words of four bits in look-up tables: written at WCK, read at once.
module TRELLIS_DPR16X4 (
    input [3:0] DI, WAD, RAD, input WRE, WCK,
    output [3:0] DO
);
    parameter WCKMUX = "WCK";
    parameter WREMUX = "WRE";
    parameter [63:0] INITVAL = 64'h0;

    reg [3:0] words [0:15];
    integer n;
    initial for (n = 0; n < 16; n = n + 1) words[n] = INITVAL[4 * n +: 4];

    wire clock = WCKMUX == "INV" ? ~WCK : WCK;
    wire write = WREMUX == "INV" ? ~WRE : WREMUX == "0" ? 1'b0 : WREMUX == "1" ? 1'b1 : WRE;
    always @(posedge clock) if (write) words[WAD] <= DI;
    assign DO = words[RAD];
endmodule
